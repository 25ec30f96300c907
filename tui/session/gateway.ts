import type { DiagnoseLinkResponse } from "../../proto/gen/zor/v1/link_service.js";
import type { Terminal } from "../client/raw-terminal.js";
import type { ConnectionState } from "../client/watch.js";
import type { FleetStep } from "../kit/fleet/fleet-step.js";
import type { ConsoleOpener } from "../screens/console/console-opener.js";
import type { Capturer } from "../screens/captures.js";
import type { Changes } from "../screens/form/changes.js";
import type { FrameSource } from "../screens/frames/frame-source.js";
import type { MachineScreens } from "../screens/machine-screen/screen-opener.js";
import type { Program } from "../screens/program.js";
import type { ActionRunner } from "../screens/requests.js";
import type { RolloutRunner } from "../screens/rollout/rollout.js";
import type { Forwarder } from "../screens/ways/forwards.js";
import type { WaveSource } from "../screens/wave/wave-source.js";
import type { FiguresSource } from "../screens/usage/figures-source.js";

/** How a hub is doing, of one or of several that are watched as one. "refused" is final. */
export type HubState = ConnectionState | { readonly phase: "refused"; readonly error: unknown };

/** What the terminal program needs of a hub or agent, or of several. */
export interface FleetGateway extends ActionRunner {
  /**
   * Everything, then every change, over every loss of the connection, until the signal aborts. Of several, each state is told with the name of
   * the hub whose it is, and each resource name has that in it. @throws {ZorError} when refused, by all of them.
   */
  watch(onState: (state: HubState, hub?: string) => void, signal: AbortSignal): AsyncIterable<FleetStep>;
  /** Tests a link hop by hop; the last message is the conclusion. @throws {ZorError} when that cannot be done. */
  diagnose(link: string, signal: AbortSignal): AsyncIterable<DiagnoseLinkResponse>;
  /** The lines of a log, as they come; over every loss of the connection. @throws {ZorError} when it cannot be read. */
  followLog: Program["followLog"];
  /** Events of a time that are kept, the newest first, a page at a time. @throws {ZorError} when they cannot be read. */
  eventsDuring: Program["eventsDuring"];
  /** The next page of the events that are kept, the newest first. @throws {ZorError} when it cannot be read. */
  olderEvents: Program["olderEvents"];
  /** Makes and changes resources. */
  readonly changes: Changes;
  /** Captures the frames of a resource into a new file here. */
  capture: Capturer;
  /** Opens a port of this machine that leads to a server inside an instance. */
  forward: Forwarder;
  /** Runs a command of zor in this terminal, in the same context; resolves to its exit code. @throws {ZorError} */
  runZor(words: readonly string[], signal: AbortSignal): Promise<number>;
  /** Runs a command of zor on hosts, in the same context, that tells each step in lines. */
  rollOut: RolloutRunner;
  /** What is used now, and what was. */
  readonly figures: FiguresSource;
  /** Waves, as they go. */
  readonly waves: WaveSource;
  /** Screens of machines, for a part of the screen. */
  readonly screens: MachineScreens;
  /** Frames that pass. */
  readonly frameSource: FrameSource;
  /** Opens a console for a part of the screen. */
  openConsole: ConsoleOpener;
  /** Gives the terminal to an instance's console until it is detached or ends; resolves to how it ended. @throws {ZorError} */
  attachConsole(
    name: string,
    terminal: Terminal,
    how: { readonly signal: AbortSignal; readonly readOnly: boolean },
  ): Promise<string>;
  /** Shows the screen of a machine, with its keyboard, until it is left. @throws {ZorError} when it has none, or it is lost. */
  showScreen(name: string, terminal: Terminal, signal: AbortSignal): Promise<void>;
  /** Runs an ssh to an instance in this terminal; resolves to its exit code. @throws {ZorError} */
  logIn(name: string, signal: AbortSignal): Promise<number>;
}
