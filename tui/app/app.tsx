import { Box, useApp, useInput, usePaste, useWindowSize } from "ink";
import { type ReactNode, useEffect } from "react";
import { chordsOf } from "../kit/keys/chord.js";
import type { Controller } from "./controller.js";

/** What of Ink the program outside React needs. */
export interface ScreenHandle {
  /** Gives the terminal away while `work` runs, then draws everything again. */
  suspend(work: () => Promise<void>): Promise<void>;
}

interface AppProps {
  readonly controller: Controller;
  /** Something was typed, or pasted, and what it changes is to be seen. */
  readonly onTyped: () => void;
  readonly onReady: (handle: ScreenHandle) => void;
}

/**
 * What Ink does for the program: it reads keys, and gives the terminal away and takes it back. Its frame is empty, a row less than the terminal:
 * frames that fill that are erased each time. What is in it is drawn by the canvas beside it.
 */
export function App({ controller, onTyped, onReady }: AppProps): ReactNode {
  const { columns, rows } = useWindowSize();
  const { suspendTerminal } = useApp();
  useEffect(() => onReady({ suspend: (work) => suspendTerminal(work) }), [onReady, suspendTerminal]);
  useInput((input, key) => {
    for (const chord of chordsOf(input, key)) controller.press(chord);
    onTyped();
  });
  usePaste((text) => {
    controller.paste(text);
    onTyped();
  });
  return <Box width={columns} height={Math.max(1, rows - 1)} />;
}
