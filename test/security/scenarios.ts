import './poisoning.ts'
import './same-bytes.ts'
import './deception.ts'
import './leaks.ts'
