/* Writes what the script says for cases that Python gives on standard input; test_script.py compares the two. */

import { readFileSync } from "node:fs";
import * as words from "../../pipeline/publish/map/assets/words.js";

const { language, texts, keys, calls } = JSON.parse(readFileSync(0, "utf8"));
words.useWords(texts, language);
const said = keys.map(([key, values]) => [words.say(key, values), words.parts(key, values)]);
process.stdout.write(JSON.stringify({ said, written: calls.map(([name, ...given]) => words[name](...given)) }));
