import type { Event } from "../../proto/gen/zor/v1/event.js";
import { setTimeout as delay } from "node:timers/promises";
import type { DiagnoseLinkResponse } from "../../proto/gen/zor/v1/link_service.js";
import type { FleetStep } from "../../tui/kit/fleet/fleet-step.js";
import type { FigureHistory } from "../../proto/gen/zor/v1/figures_service.js";
import { busyOf } from "../../tui/kit/busy/busy.js";
import { orderBy, rankedOf } from "../../tui/kit/usage/ranking.js";
import type { FiguresSource, SeenFigures } from "../../tui/screens/usage/figures-source.js";
import type { FleetGateway } from "../../tui/session/gateway.js";
import type { LogLine } from "../../tui/kit/text/log-lines.js";
import type { ConsoleRequest } from "../../tui/screens/console/console-opener.js";
import { FakeConsole } from "./fake-console.js";
import { FakeScreens } from "./fake-screens.js";
import type { WaveLook, WaveSource } from "../../tui/screens/wave/wave-source.js";
import type { FrameSource, FrameWatch, SeenFrame } from "../../tui/screens/frames/frame-source.js";
import type { Action } from "../../tui/kit/action.js";
import { parseResource } from "../../tui/cli/input/resource-file.js";
import type { Changes, EditText, ResourceChange, Sent } from "../../tui/screens/form/changes.js";
import type { Row } from "../../tui/kit/row.js";

/** What a log says next, or is waited for. */
type LogStep = string | LogLine | (() => Promise<void>);

/** What is used; nothing is said of hosts: all answer. */
type UsedNow = Pick<SeenFigures, "all" | "trouble"> & Partial<SeenFigures>;

/** A gateway that records what is asked of it. */
export class FakeGateway implements FleetGateway {
  /** "stop hosts/alpha/instances/vm0" */
  readonly calls: string[] = [];
  /** What the next calls fail with. */
  failure: Error | undefined;
  /** What logs that are followed next say; a function is waited for. */
  log: readonly LogStep[] = [];
  /** The same, by name. */
  readonly logs = new Map<string, readonly LogStep[]>();
  /** What the next diagnoses answer; a function is waited for. */
  diagnosis: readonly (DiagnoseLinkResponse | (() => Promise<void>))[] = [];

  async *watch(): AsyncGenerator<FleetStep, void, undefined> {
    // Nothing is told: tests feed the model themselves.
  }

  async run({ verb }: Action, row: Row): Promise<void> {
    this.calls.push(`${verb} ${row.name}`);
    await delay(0);
    if (this.failure !== undefined) throw this.failure;
  }

  /** Whether the server has waves. */
  hasWaves = false;
  /** What becomes of those of the next waves that fail. */
  readonly waveFailures = new Map<string, Error>();

  /** Those of the next waves that are never begun. */
  readonly waveSkips: string[] = [];
  /** Waves that are followed, with who follows them. */
  readonly followed = new Map<string, WaveLook>();
  readonly waves: WaveSource = {
    watch: async (name, look) => {
      this.calls.push(`watch ${name}`);
      this.followed.set(name, look);
      if (this.failure !== undefined) throw this.failure;
      await new Promise((resolve) => look.signal.addEventListener("abort", resolve, { once: true }));
      this.calls.push(`left ${name}`);
    },
    pause: async (name) => void this.calls.push(`pause ${name}`),
    resume: async (name) => void this.calls.push(`resume ${name}`),
    again: async ({ name }) => {
      this.calls.push(`again ${name}`);
      return "operations/next";
    },
  };

  async runWave({ wave, names, ...told }: Parameters<FleetGateway["runWave"]>[0]): Promise<boolean> {
    if (!this.hasWaves) return false;
    this.calls.push(`wave ${wave.method.split("/")[1] ?? ""} ${names.length}`);
    await delay(0);
    if (this.failure !== undefined) throw this.failure;
    told.onBegun("operations/w");
    for (const name of names) if (!this.waveSkips.includes(name)) told.onStarted(name);
    for (const [name, error] of this.waveFailures) told.onFailed(name, error);
    if (this.waveSkips.length > 0) told.onSkipped(this.waveSkips, "its wave had ended");
    return true;
  }

  async *diagnose(link: string, signal: AbortSignal): AsyncGenerator<DiagnoseLinkResponse, void, undefined> {
    this.calls.push(`diagnose ${link}`);
    for (const step of this.diagnosis) {
      if (typeof step === "function") await step();
      else yield step;
      signal.throwIfAborted();
    }
    if (this.failure !== undefined) throw this.failure;
  }

  /** What is kept, the newest first; each reading takes a page. */
  readonly kept: Event[][] = [];

  async *eventsDuring({ fromMs, untilMs }: Parameters<FleetGateway["eventsDuring"]>[0]) {
    this.calls.push(
      `events ${new Date(fromMs).toISOString()} ${untilMs === Infinity ? "on" : new Date(untilMs).toISOString()}`,
    );
    if (this.failure !== undefined) throw this.failure;
    for (let page = this.kept.shift(); page !== undefined; page = this.kept.shift()) yield page;
  }

  async olderEvents(): Promise<{ events: readonly Event[]; more: boolean }> {
    const events = this.kept.shift() ?? [];
    return { events, more: this.kept.length > 0 };
  }

  async *followLog(name: string, options: Parameters<FleetGateway["followLog"]>[1]): AsyncGenerator<LogLine> {
    const { signal, since, source } = options;
    const how = `${source === "runtime" ? " runtime" : ""}${since === undefined ? "" : " since"}`;
    this.calls.push(`log ${name}${how}`);
    for (const step of this.logs.get(name) ?? this.log) {
      if (typeof step === "function") await step();
      else yield typeof step === "string" ? { text: step, time: undefined } : step;
      signal.throwIfAborted();
    }
    if (this.failure !== undefined) throw this.failure;
  }

  /** What is used now, told once to each who watches; and what was. */
  used: UsedNow = { all: [], trouble: "" };
  /** Tells those who watch that this is used now. */
  tellUsed(used: UsedNow): void {
    for (const tell of [...this.#watchers]) tell(used);
  }
  readonly #watchers = new Set<(used: UsedNow) => void>();
  history: readonly FigureHistory[] = [];
  readonly figures: FiguresSource = {
    watch: async ({ names }, onNews, signal) => {
      const tell = (used: UsedNow): void => {
        const all = [...used.all].filter(({ name }) => names.includes(name));
        const told = new Map(all.map(({ host }) => [host, { silent: "" }]));
        onNews({ isLost: false, hosts: told, ...used, all });
      };
      await this.#watchUsed(`figures of ${names.join(" ")}`, tell, signal);
    },
    watchRanked: async (look, onNews, signal) => {
      const { kind, parent, query, text, from, count, anchor } = look;
      const which = [parent, query, text, anchor].filter((each) => each !== "").join(", ");
      const tell = ({ all, trouble }: UsedNow): void => onNews(rankedOf(all, look, trouble));
      await this.#watchUsed(`${kind} by ${orderBy(kind, look.order)}, ${count} from ${from}: ${which}`, tell, signal);
    },
    watchBusiest: (figures, onNews, signal) =>
      this.#watchUsed("figures", ({ all, trouble }) => onNews(busyOf(all, figures, trouble)), signal),
    readHistory: async (name, { startMs, endMs }) => {
      this.calls.push(`history ${name} ${(endMs - startMs) / 60_000} min`);
      if (this.failure !== undefined) throw this.failure;
      return this.history;
    },
  };

  async #watchUsed(what: string, tell: (used: UsedNow) => void, signal: AbortSignal): Promise<void> {
    this.calls.push(`watch ${what}`);
    if (this.failure !== undefined) throw this.failure;
    tell(this.used);
    this.#watchers.add(tell);
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    this.#watchers.delete(tell);
    this.calls.push(`left ${what}`);
  }

  /** What passes, as the test says it. */
  readonly passing: FrameWatch[] = [];
  /** How the next watches of frames end. */
  watchEnd = Promise.withResolvers<string>();

  /** Frames that captures tell of, before they wait for their end. */
  frames = 0;

  async capture(name: string, { signal, onProgress }: Parameters<FleetGateway["capture"]>[1]) {
    this.calls.push(`capture ${name}`);
    if (this.failure !== undefined) throw this.failure;
    const captured = { path: "/tmp/a.pcapng", packets: this.frames, dropped: 0, unread: 0 };
    onProgress(captured);
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    return { ...captured, dropped: 1 };
  }

  /** What the next checks and changes fail with. */
  refusal: Error | undefined;
  /** What was checked and sent. */
  readonly checked: ResourceChange[] = [];
  readonly sent: ResourceChange[] = [];
  /** What the next changes answer. */
  answer: Sent = { operation: undefined, told: {} };
  readonly changes: Changes = {
    check: async (change) => {
      this.checked.push(change);
      await delay(0);
      if (this.refusal !== undefined) throw this.refusal;
    },
    send: async (change) => {
      this.sent.push(change);
      await delay(0);
      if (this.refusal !== undefined) throw this.refusal;
      return this.answer;
    },
    follow: async () => undefined,
  };
  /** What the editor saves next; none: what it was given. */
  readonly saves: string[] = [];

  editText: EditText = async ({ kind, yaml }, check) => {
    this.calls.push(yaml);
    const saved = this.saves.shift();
    if (saved === undefined) return { type: "left", why: "nothing was changed" };
    const resource = parseResource(kind, "the file", saved);
    await check(resource);
    return { type: "taken", resource };
  };

  /** Connections that ports of this machine have. */
  readonly forwarded = { open: 0, taken: 0 };

  async forward(...[name, { local, remote }]: Parameters<FleetGateway["forward"]>) {
    this.calls.push(`forward ${name} ${local}:${remote}`);
    if (this.failure !== undefined) throw this.failure;
    return {
      address: `127.0.0.1:${local}`,
      counts: this.forwarded,
      close: () => void this.calls.push(`closed ${local}`),
    };
  }

  /** What was begun on hosts last. */
  rollout: { readonly told: Parameters<FleetGateway["rollOut"]>[1]; readonly end: (code: number) => void } | undefined;

  rollOut: FleetGateway["rollOut"] = (words, told) => {
    this.calls.push(`zor ${words.join(" ")}`);
    const { promise: ended, resolve: end } = Promise.withResolvers<number>();
    this.rollout = { told, end };
    return { say: (line) => void this.calls.push(`say ${line}`), ended };
  };

  async runZor(words: readonly string[]): Promise<number> {
    this.calls.push(`zor ${words.join(" ")}`);
    return 0;
  }

  async showScreen(name: string): Promise<void> {
    this.calls.push(`screen ${name}`);
  }

  async logIn(name: string): Promise<number> {
    this.calls.push(`ssh ${name}`);
    return 0;
  }

  /** Frames that were written last. */
  written: readonly SeenFrame[] = [];
  readonly frameSource: FrameSource = {
    watch: async (name, watch) => {
      this.calls.push(`frames ${name} ${watch.filter}`.trimEnd());
      this.passing.push(watch);
      if (this.failure !== undefined) throw this.failure;
      return await this.watchEnd.promise;
    },
    save: async (name, places, frames) => {
      this.calls.push(`write ${name} ${places.join(",")}`);
      this.written = frames;
      return "/tmp/a.pcapng";
    },
  };

  readonly screens = new FakeScreens(this.calls);

  /** Consoles that were opened, the last one last. */
  readonly consoles: FakeConsole[] = [];

  openConsole(name: string, request: ConsoleRequest): FakeConsole {
    const { port, readOnly, size } = request;
    this.calls.push(`open ${name}:${port}${readOnly ? " looks" : ""} ${size.columns}x${size.rows}`);
    const opened = new FakeConsole(request, this.failure);
    this.consoles.push(opened);
    return opened;
  }

  async attachConsole(name: string): Promise<string> {
    this.calls.push(`console ${name}`);
    return "";
  }
}
