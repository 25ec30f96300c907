import type { DiagnoseLinkResponse } from "../../proto/gen/zor/v1/link_service.js";
import type { Terminal } from "../client/raw-terminal.js";
import type { ConnectionState, FleetStep } from "../client/watch.js";
import type { Verb } from "../kit/fleet/pending.js";
import type { Row } from "../kit/row.js";

/** What the terminal program needs of a hub or agent. */
export interface FleetGateway {
  /** Everything, then every change, over every loss of the connection, until the signal aborts. @throws {ZorError} when refused. */
  watch(onState: (state: ConnectionState) => void, signal: AbortSignal): AsyncIterable<FleetStep>;
  /** Asks for something; resolves when it was done or taken on. @throws {ZorError} when it was not. */
  run(verb: Verb, row: Row, signal: AbortSignal): Promise<void>;
  /** Tests a link hop by hop; the last message is the conclusion. @throws {ZorError} when that cannot be done. */
  diagnose(link: string, signal: AbortSignal): AsyncIterable<DiagnoseLinkResponse>;
  /** Gives the terminal to an instance's console until it is detached or ends; resolves to how it ended. @throws {ZorError} */
  attachConsole(name: string, terminal: Terminal, signal: AbortSignal): Promise<string>;
}
