/** What is still to be ended when this process goes: stopped processes do not go by themselves. */
export const atExit = new Set<() => void>()

process.once('exit', () => {
  for (const end of atExit) end()
})
