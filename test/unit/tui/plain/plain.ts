import { Reader } from "../../../../tui/plain/reader.js";
import { makeProgram, type TestProgram } from "../program.js";
import { feedFleet } from "../steps.js";

/** The program in lines, without a terminal. */
export interface PlainProgram extends TestProgram {
  readonly reader: Reader;
  /** Types a line; returns what is said to it. */
  tell(line: string): readonly string[];
  /** What was said since this was asked last. */
  heard(): readonly string[];
}

/** A program that says lines, with a made-up fleet of two hosts, the second of which answers. */
export function makePlain(session: Parameters<typeof makeProgram>[0] = {}, page = 20): PlainProgram {
  const made = makeProgram({ isPlain: true, ...session });
  feedFleet(made.model, { hosts: 2, instancesPerHost: 4, nowMs: made.model.nowMs });
  const said: string[] = [];
  const { program, controller } = made;
  const reader = new Reader({ program, controller, page, say: (lines) => said.push(...lines) });
  reader.look();
  const heard = (): readonly string[] => said.splice(0);
  const tell = (line: string): readonly string[] => {
    heard();
    reader.take(line);
    return heard();
  };
  return { ...made, reader, tell, heard };
}
