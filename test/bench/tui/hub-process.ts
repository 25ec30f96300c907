import { once } from "node:events";
import { createInterface } from "node:readline";
import { nodePath } from "../../../lib/program.js";
import { spawnOwned } from "../../helpers/owned.js";
import { type HubOrder, hubVerb, type HubWord } from "./synthetic-hub.js";

/** The made-up hub in a process of its own, so that it costs the program that is measured nothing but what any hub does. */
export class HubProcess implements AsyncDisposable {
  readonly #child;
  readonly #words: AsyncIterator<string>;

  /** @param directory where its identities and the context for clients are made. */
  constructor(directory: string, { hosts, instances }: { readonly hosts: number; readonly instances: number }) {
    const words = [hubVerb, directory, `${hosts}`, `${instances}`];
    this.#child = spawnOwned(nodePath, [process.argv[1] ?? "", ...words], { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stderr.pipe(process.stderr);
    const lines = createInterface({ input: this.#child.stdout });
    this.#words = lines[Symbol.asyncIterator]();
  }

  /** Waits until it serves. @returns directory of the configuration that has its context. */
  async configDirectory(): Promise<string> {
    const word = await this.#word();
    if (!("configDirectory" in word)) throw new Error("the hub said something else first");
    return word.configDirectory;
  }

  setRate(changesPerSecond: number): void {
    this.#tell({ changesPerSecond });
  }

  /** Changes the first instance. @returns when, on the clock of performance.now() of this process. */
  async mark(reason: string): Promise<number> {
    this.#tell({ mark: reason });
    const word = await this.#word();
    if (!("marked" in word) || word.marked !== reason) throw new Error("the hub marked something else");
    // Both processes read the machine's clock that only goes forward; from it to the other one of this process.
    const agoMs = Number(process.hrtime.bigint() - BigInt(word.atNs)) / 1e6;
    return performance.now() - agoMs;
  }

  #tell(order: HubOrder): void {
    this.#child.stdin.write(`${JSON.stringify(order)}\n`);
  }

  async #word(): Promise<HubWord> {
    const { done, value } = await this.#words.next();
    if (done === true) throw new Error("the hub has ended");
    return JSON.parse(value) as HubWord;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return;
    this.#child.stdin.end();
    await once(this.#child, "exit");
  }
}
