import { Box, Text } from "ink";
import { createContext, memo, type ReactNode, useContext } from "react";
import type { Line, Segment } from "../store/segment.js";
import { cutLine } from "../store/segment.js";
import { toAscii, toneProps } from "./theme.js";

/** Whether symbols outside ASCII may be drawn. */
export const UnicodeContext = createContext(true);

interface LineViewProps {
  readonly line: Line;
  readonly width: number;
  /** Drawn inverted, in one tone. */
  readonly selected?: boolean;
  /** Drawn dim, in one tone but for the warnings. */
  readonly faded?: boolean;
}

/** One line of the screen. It never wraps: what does not fit is cut. */
export const LineView = memo(LineViewBase, (before, after) => {
  return (
    before.width === after.width &&
    before.selected === after.selected &&
    before.faded === after.faded &&
    sameLine(before.line, after.line)
  );
});

function LineViewBase({ line, width, selected = false, faded = false }: LineViewProps): ReactNode {
  const unicode = useContext(UnicodeContext);
  const show = (text: string) => (unicode ? text : toAscii(text));
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
          <Text key={index} {...propsOf(segment, faded)}>
            {show(segment.text)}
          </Text>
        ))}
      </Text>
    </Box>
  );
}

function propsOf(segment: Segment, faded: boolean) {
  const tone = segment.tone ?? "plain";
  if (!faded || tone === "warn" || tone === "accent") return toneProps[tone];
  return toneProps.dim;
}

function sameLine(before: Line, after: Line): boolean {
  return (
    before.length === after.length &&
    before.every((segment, index) => segment.text === after[index]?.text && segment.tone === after[index]?.tone)
  );
}
