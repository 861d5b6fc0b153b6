/** The texts of the interface in the languages that `GET /search` speaks. */
const TEXTS = {
  en: {
    language: 'en',
    packages: 'Packages',
    search: 'Search',
    placeholder: 'a word in a name, a description or a README',
    found: (count: number, word: string) =>
      `${count} ${count === 1 ? 'package mentions' : 'packages mention'} “${word}”`,
    page: (page: number, pages: number) => `page ${page} of ${pages}`,
    mentions: (count: number) => (count === 1 ? '1 mention' : `${count} mentions`),
    previous: 'previous',
    next: 'next',
    rendered: (at: string, took: string) => `Rendered ${at} in ${took} ms`,
  },
  de: {
    language: 'de',
    packages: 'Pakete',
    search: 'Suche',
    placeholder: 'ein Wort in Name, Beschreibung oder README',
    found: (count: number, word: string) => `${count} ${count === 1 ? 'Paket erwähnt' : 'Pakete erwähnen'} „${word}“`,
    page: (page: number, pages: number) => `Seite ${page} von ${pages}`,
    mentions: (count: number) => (count === 1 ? '1 Erwähnung' : `${count} Erwähnungen`),
    previous: 'zurück',
    next: 'weiter',
    rendered: (at: string, took: string) => `Erzeugt ${at} in ${took} ms`,
  },
}

export type Language = keyof typeof TEXTS
export type Texts = (typeof TEXTS)[Language]

export function textsIn(language: Language): Texts {
  return TEXTS[language]
}

/** The language that a visitor likes best among ours (RFC 9110 §12.5.4); English if he names none of them. */
export function preferredLanguage(acceptLanguage: string | undefined): Language {
  const wishes = (acceptLanguage ?? '').split(',').map((wish) => {
    const [range = '', ...parameters] = wish
      .trim()
      .toLowerCase()
      .split(/\s*;\s*/)
    const weight = parameters.find((parameter) => parameter.startsWith('q='))
    return { language: range.split('-', 1)[0] ?? '', weight: weight === undefined ? 1 : Number(weight.slice(2)) }
  })
  const ranked = wishes.filter(({ weight }) => weight > 0).toSorted((a, b) => b.weight - a.weight)
  return ranked.map(({ language }) => language).find(isLanguage) ?? 'en'
}

function isLanguage(name: string): name is Language {
  return Object.hasOwn(TEXTS, name)
}
