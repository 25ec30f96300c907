/** From dark to light. */
const shades = " .:-=+*#%@";

/** What stands for two pixels, 0xRRGGBB each, where there are no colours. */
export function shadeOf(upper: number, lower: number): string {
  const part = (shift: number): number => ((upper >> shift) & 0xff) + ((lower >> shift) & 0xff);
  const light = (0.3 * part(16) + 0.59 * part(8) + 0.11 * part(0)) / 2;
  return shades[Math.min(shades.length - 1, Math.floor((light * shades.length) / 256))] ?? " ";
}
