import type { Log } from "../../lib/log.js";
import type { Event } from "../../proto/gen/zor/v1/event.js";
import type { DiagnoseLinkResponse } from "../../proto/gen/zor/v1/link_service.js";
import type { AgentPlace } from "../kit/agent-place.js";
import type { LogLine } from "../kit/text/log-lines.js";
import type { Model } from "../kit/model.js";
import type { TableScope } from "../kit/table/scope.js";
import type { Remembered } from "../settings/remembered.js";
import type { Settings } from "../settings/settings.js";
import type { Captures } from "./captures.js";
import type { Consoles } from "./console/consoles.js";
import type { Cabling } from "./map/cabling.js";
import type { Changes, EditText } from "./form/changes.js";
import type { FrameSource } from "./frames/frame-source.js";
import type { MachineScreens } from "./machine-screen/screen-opener.js";
import type { PluginCall } from "./plugins/plugin-run.js";
import type { Requests } from "./requests.js";
import type { Rollouts } from "./rollout/rollouts.js";
import type { Forwards } from "./ways/forwards.js";
import type { WaveSource } from "./wave/wave-source.js";
import type { FiguresSource } from "./usage/figures-source.js";

/** How a log is followed. */
export interface FollowOptions {
  readonly signal: AbortSignal;
  readonly onNotice: (text: string) => void;
  /** Nothing from before. Default: the last lines, whenever they came. */
  readonly since?: Date;
  /** Of an instance: what it says on its console, or what is said by what runs it. Default: its console. */
  readonly source?: "console" | "runtime";
}

/** The mouse of the terminal. */
export interface Mouse {
  readonly isOn: boolean;
  set(isOn: boolean): void;
}

/** The hubs and agents that the program can be at. */
export interface Contexts {
  /** Names of all, those that the program is at too, as they were read last. */
  list(): readonly string[];
  /** Reads again which there are. */
  look(): Promise<void>;
  /**
   * Keeps a context that leads past a hub, straight to the agent of one of its hosts; resolves to its name. @param from context of the hub.
   * @throws {ZorError} when the agent does not answer.
   */
  openAgent(from: string, place: AgentPlace): Promise<string>;
  /** Opens another one, or several in one view ("paris+rome"); what it resolves to goes there, and forgets what is here. @throws {ZorError} when it is not there, or cannot be used. */
  open(name: string): Promise<() => void>;
}

/** What screens and their keys work with. */
export interface Program {
  readonly model: Model;
  readonly requests: Requests;
  readonly log: Log;
  /** Ends the program, and with it all that it has under way. */
  readonly signal: AbortSignal;
  /** Gives the whole terminal to a console with the screen put aside, to type or only to look. @throws {ZorError} when that fails. */
  attachConsole(name: string, how: { readonly readOnly: boolean }): Promise<void>;
  /** Shows the screen of a machine, with its keyboard, or logs in to an instance, with this one put aside. @throws {ZorError} when that fails. */
  giveTerminal(to: "screen" | "ssh", name: string): Promise<void>;
  /** Tests a link hop by hop; the last message is the conclusion. @throws {ZorError} when that cannot be done. */
  diagnose(link: string, signal: AbortSignal): AsyncIterable<DiagnoseLinkResponse>;
  /**
   * The lines of an instance's console, of the log of a host's agent, of the hub ("hub") or of this program ("tui"), those that there are and
   * then as they come; over every loss of the connection, of which it is told. @throws {ZorError} when it cannot be read.
   */
  followLog(name: string, options: FollowOptions): AsyncIterable<LogLine>;
  /** Events of a time that the hub keeps, the newest first, a page at a time. @throws {ZorError} when they cannot be read. */
  eventsDuring(during: NonNullable<TableScope["during"]>, signal: AbortSignal): AsyncIterable<readonly Event[]>;
  /** The next page of the events that the hub keeps, the newest first. @throws {ZorError} when it cannot be read. */
  olderEvents(signal: AbortSignal): Promise<{ readonly events: readonly Event[]; readonly more: boolean }>;
  /** Writes a text to a new file here, or in the place of another one. @throws {ZorError} when there is one of that name, or it cannot be written. */
  saveText(path: string, text: string, replace?: boolean): Promise<void>;
  /** Puts a text into the clipboard of the terminal; false when it is too long for that. */
  copy(text: string): boolean;
  /** Runs a program with this one put aside; resolves to its exit code. @throws {ZorError} when it is not there. */
  runInTerminal(call: PluginCall): Promise<number>;
  /** Runs a program behind, until the signal ends it; resolves to its exit code. @throws {ZorError} when it is not there. */
  runBehind(call: PluginCall, onText: (text: string) => void, signal: AbortSignal): Promise<number>;
  /** Opens the table of a kind on top of what is open. */
  openTable(kind: string, scope?: TableScope): void;
  /** Runs a command of zor in this terminal, with this program put aside, and waits for a key after it. @throws {ZorError} when that fails. */
  runZor(words: readonly string[]): Promise<void>;
  readonly captures: Captures;
  readonly forwards: Forwards;
  /** What is done to hosts by ssh. */
  readonly rollouts: Rollouts;
  /** The cable that is being drawn. */
  readonly cabling: Cabling;
  readonly consoles: Consoles;
  /** Makes and changes resources. */
  readonly changes: Changes;
  /** Edits a resource as a text, with the screen put aside. @throws {ZorError} when there is no editor, or it fails. */
  readonly editText: EditText;
  readonly screens: MachineScreens;
  readonly frames: FrameSource;
  readonly figures: FiguresSource;
  readonly waves: WaveSource;
  readonly mouse: Mouse;
  /** What the user has set. */
  readonly settings: Settings;
  /** What earlier runs have left. */
  readonly remembered: Remembered;
  readonly contexts: Contexts;
  /** Does what a line of the command line says. */
  run(line: string): void;
  redraw(): void;
  /** Gives the terminal back to the shell until the program is continued. */
  stop(): void;
  resync(): void;
  quit(): void;
}
