/** Whether one of the patterns of a list matches, and none does that begins with "!". @param matches whether a pattern does. */
export function anyMatches(patterns: readonly string[], matches: (pattern: string) => boolean): boolean {
  let isMatched = false;
  for (const pattern of patterns) {
    if (pattern.startsWith("!") && matches(pattern.slice(1))) return false;
    isMatched ||= matches(pattern);
  }
  return isMatched;
}

/** Whether a text matches a pattern of ssh: `*` is any text, `?` one character. Never slower than their lengths multiplied. */
export function globMatches(pattern: string, text: string): boolean {
  let [at, inText] = [0, 0];
  let [star, mark] = [-1, 0];
  while (inText < text.length) {
    if (pattern[at] === "*") {
      star = at++;
      mark = inText;
    } else if (pattern[at] === "?" || pattern[at] === text[inText]) {
      at++;
      inText++;
    } else if (star !== -1) {
      at = star + 1;
      inText = ++mark;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
