const bars = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;
/** Dots of a braille sign from the lowest to the highest, left and right. */
const dots = [
  [0x40, 0x04, 0x02, 0x01],
  [0x80, 0x20, 0x10, 0x08],
] as const;
const blankBraille = 0x28_00;
const dotsHigh = 4;

/** Values as one row of bars; those that are not known are blank. @param most what the highest bar stands for. */
export function sparkline(cells: readonly (number | undefined)[], most: number): string {
  return cells
    .map((value) => {
      if (value === undefined) return " ";
      const level = most <= 0 ? 0 : Math.round((Math.min(value, most) / most) * (bars.length - 1));
      return bars[level] ?? bars[0];
    })
    .join("");
}

/** Values as rows of braille signs, the highest row first; each sign has two of the values. */
export function brailleRows(cells: readonly (number | undefined)[], most: number, rows: number): string[] {
  const height = rows * dotsHigh;
  const levels = cells.map((value) =>
    value === undefined ? 0 : Math.max(1, Math.round((most <= 0 ? 0 : Math.min(1, value / most)) * height)),
  );
  return Array.from({ length: rows }, (_, index) => {
    const below = (rows - 1 - index) * dotsHigh;
    let text = "";
    for (let at = 0; at < levels.length; at += 2) {
      let sign = 0;
      for (const [side, column] of dots.entries()) {
        const filled = (levels[at + side] ?? 0) - below;
        for (const [dot, bit] of column.entries()) if (filled > dot) sign |= bit;
      }
      text += String.fromCharCode(blankBraille + sign);
    }
    return text;
  });
}

/** Values as rows of bars, the highest row first; what is known is at least the lowest bar. */
export function blockRows(cells: readonly (number | undefined)[], most: number, rows: number): string[] {
  const height = rows * bars.length;
  const levels = cells.map((value) =>
    value === undefined ? 0 : Math.max(1, Math.round((most <= 0 ? 0 : Math.min(1, value / most)) * height)),
  );
  return Array.from({ length: rows }, (_, index) => {
    const below = (rows - 1 - index) * bars.length;
    return levels
      .map((level) => (level <= below ? " " : (bars[Math.min(bars.length, level - below) - 1] ?? " ")))
      .join("");
  });
}
