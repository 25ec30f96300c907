/** Dots of a braille sign from the lowest to the highest, left and right. */
const dots = [
  [0x40, 0x04, 0x02, 0x01],
  [0x80, 0x20, 0x10, 0x08],
] as const;
const blankBraille = 0x28_00;
/** Dots of a sign, across and up. */
const [dotsWide, dotsHigh] = [2, 4] as const;
/** Signs of the courses where there are no dots, from the first to the last. */
const signs = ["*", "+", "o", "x", "#", "@"] as const;

/** A cell of a chart: what stands there, and of which course; undefined: nothing, or several. */
export interface ChartCell {
  readonly text: string;
  readonly course: number | undefined;
}

/** Values of a cell's width that a course has. */
export function valuesPerCell(hasDots: boolean): number {
  return hasDots ? dotsWide : 1;
}

/**
 * Several courses drawn over each other as lines, the highest row first. What is not known leaves a gap. @param most what the highest
 * row stands for. @param hasDots lines are of braille's dots; false: of signs that every terminal has, one for each course.
 */
export function drawCourses(
  courses: readonly (readonly (number | undefined)[])[],
  look: { readonly most: number; readonly rows: number; readonly hasDots: boolean },
): readonly (readonly ChartCell[])[] {
  const { most, rows, hasDots } = look;
  const across = valuesPerCell(hasDots);
  const height = rows * (hasDots ? dotsHigh : 1);
  const columns = Math.ceil(Math.max(0, ...courses.map((course) => course.length)) / across);
  const cells = Array.from({ length: rows }, () =>
    Array.from({ length: columns }, (): Painted => ({ bits: 0, by: [] })),
  );
  for (const [number, course] of courses.entries()) {
    let before: number | undefined;
    for (const [at, value] of course.entries()) {
      const level = value === undefined ? undefined : levelOf(value, most, height);
      if (level !== undefined) {
        // A line goes on from the one before it, however far it jumps.
        const [low, high] = [Math.min(level, before ?? level), Math.max(level, before ?? level)];
        for (let dot = low === level ? level : low + 1; dot <= (high === level ? level : high - 1); dot += 1) {
          paint(cells, { number, at, dot, hasDots });
        }
      }
      before = level;
    }
  }
  return cells.map((row) => row.map((cell) => toCell(cell, hasDots)));
}

interface Painted {
  bits: number;
  readonly by: number[];
}

function paint(
  cells: readonly (readonly Painted[])[],
  place: { readonly number: number; readonly at: number; readonly dot: number; readonly hasDots: boolean },
): void {
  const { number, at, dot, hasDots } = place;
  const high = hasDots ? dotsHigh : 1;
  const cell = cells[cells.length - 1 - Math.floor(dot / high)]?.[Math.floor(at / valuesPerCell(hasDots))];
  if (cell === undefined) return;
  cell.bits |= hasDots ? (dots[at % dotsWide]?.[dot % dotsHigh] ?? 0) : 1;
  if (!cell.by.includes(number)) cell.by.push(number);
}

function toCell({ bits, by }: Painted, hasDots: boolean): ChartCell {
  if (bits === 0) return { text: " ", course: undefined };
  const course = by.length === 1 ? by[0] : undefined;
  const sign = signs[(by.at(-1) ?? 0) % signs.length] ?? "*";
  return { text: hasDots ? String.fromCharCode(blankBraille + bits) : sign, course };
}

function levelOf(value: number, most: number, height: number): number {
  return most <= 0 ? 0 : Math.max(0, Math.min(height - 1, Math.round((value / most) * (height - 1))));
}

/** The sign of a course where there are no dots. */
export function signOf(course: number, hasDots: boolean): string {
  return hasDots ? "━" : (signs[course % signs.length] ?? "*");
}
