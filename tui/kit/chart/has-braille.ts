/** Whether a terminal has signs of braille: the console of Linux has none in its font. */
export function hasBraille({ TERM }: Readonly<Record<string, string | undefined>>): boolean {
  return TERM !== "linux";
}
