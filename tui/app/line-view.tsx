import { Box, Text } from "ink";
import { createContext, memo, type ReactNode, useContext } from "react";
import { toAscii, toConsole } from "../kit/text/ascii.js";
import type { Line, Segment } from "../kit/text/segment.js";
import { cutLine } from "../kit/text/segment.js";
import { canvasMark } from "./canvas.js";
import { type Look, styleOf } from "./theme.js";

/** What the terminal may be sent. */
export const LookContext = createContext<Look>({ unicode: true, colors: true });

interface LineViewProps {
  readonly line: Line;
  readonly width: number;
  /** Drawn inverted, in one tone. */
  readonly selected?: boolean;
  /** Drawn dim, in one tone but for the warnings. */
  readonly faded?: boolean;
  /** Left to the canvas. */
  readonly drawn?: boolean;
}

/** One line of the screen. It never wraps: what does not fit is cut. */
export const LineView = memo(LineViewBase, (before, after) => {
  if (before.drawn === true && after.drawn === true) return before.width === after.width;
  return (
    before.width === after.width &&
    before.selected === after.selected &&
    before.faded === after.faded &&
    before.drawn === after.drawn &&
    sameLine(before.line, after.line)
  );
});

function LineViewBase({ line, width, selected = false, faded = false, drawn = false }: LineViewProps): ReactNode {
  const look = useContext(LookContext);
  if (drawn) {
    return (
      <Box height={1} width={width}>
        <Text>{canvasMark}</Text>
      </Box>
    );
  }
  const show = shownBy(look);
  const cut = cutLine(line, width);
  if (selected) {
    return (
      <Box height={1} width={width}>
        <Text inverse wrap="truncate">
          {show(cut.map((segment) => segment.text).join(""))}
        </Text>
      </Box>
    );
  }
  return (
    <Box height={1} width={width}>
      <Text wrap="truncate">
        {cut.map((segment, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: segments have no identity but their place on the line
          <Text key={index} {...propsOf(segment, faded, look)}>
            {show(segment.text)}
          </Text>
        ))}
      </Text>
    </Box>
  );
}

function shownBy({ unicode, console: isConsole = false }: Look): (text: string) => string {
  if (!unicode) return toAscii;
  return isConsole ? toConsole : (text) => text;
}

function propsOf(segment: Segment, faded: boolean, look: Look) {
  const tone = segment.tone ?? "plain";
  const shown = !faded || tone === "warn" || tone === "accent" ? tone : "dim";
  return segment.inverse === true ? { ...styleOf(shown, look), inverse: true } : styleOf(shown, look);
}

function sameLine(before: Line, after: Line): boolean {
  return before.length === after.length && before.every((segment, index) => sameSegment(segment, after[index]));
}

function sameSegment({ text, tone, inverse }: Segment, after: Segment | undefined): boolean {
  return text === after?.text && tone === after.tone && inverse === after.inverse;
}
