import { invalidArgument } from "../../../lib/errors.js";
import { allFigures, figureNamed } from "../../../lib/figures/figure-table.js";
import { quote } from "../../../lib/names.js";
import { nearest } from "../../../lib/nearest.js";
import { Figure } from "../../../proto/gen/zor/v1/figures.js";
import { FiguresServiceService, ReadHistoryRequest } from "../../../proto/gen/zor/v1/figures_service.js";
import type { ChartRange } from "../../kit/chart/cells.js";
import { hasBraille } from "../../kit/chart/has-braille.js";
import { historyLines } from "../../kit/chart/history-lines.js";
import { parsePast } from "../../kit/input/past.js";
import { type Registrar, ResourceArgument, repeatable, responseOutput, withExamples, withNotes } from "../command.js";
import { measuredName } from "../measured-name.js";
import type { OutputFormat } from "../session.js";

interface HistoryOptions {
  readonly cpu?: boolean;
  readonly memory?: boolean;
  readonly disk?: boolean;
  readonly net?: boolean;
  readonly pressure?: boolean;
  readonly figure: readonly string[];
  readonly part: string;
  readonly since: string;
  readonly until?: string;
  readonly output: OutputFormat;
}

const groups = {
  cpu: [Figure.FIGURE_CPU],
  memory: [Figure.FIGURE_MEMORY],
  disk: [Figure.FIGURE_DISK_READ, Figure.FIGURE_DISK_WRITE],
  net: [Figure.FIGURE_NET_IN, Figure.FIGURE_NET_OUT],
  pressure: [Figure.FIGURE_PRESSURE_CPU, Figure.FIGURE_PRESSURE_MEMORY, Figure.FIGURE_PRESSURE_IO],
} as const;
const [jsonPoints, mostColumns] = [2000, 200];

/** `zor history NAME`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("history")
    .description("What a host, instance, lan, wire or link has used: charts of the last hours.")
    .addArgument(new ResourceArgument("<name>", "alpha/vm1, alpha (a host), lan:alpha/lan1 or link:cable1", "instance"))
    .option("--cpu", "processor time in use")
    .option("--memory", "memory")
    .option("--disk", "what is read from disks and written")
    .option("--net", "traffic")
    .option("--pressure", "shares of time in which something waited")
    .addOption(repeatable("--figure <figure>", "one by its name, such as net-drops; may be repeated"))
    .option("--part <part>", "of a part: disk:sda of a host, a port of a lan", "")
    .option("--since <time>", "10m, 2h, or a time such as 2026-01-31T10:00:00Z; at most a day ago", "1h")
    .option("--until <time>", "10m ago, or a time (default: now)")
    .addOption(responseOutput())
    .action(async (given: string, options: HistoryOptions) => {
      const session = open(command);
      const range = readRange(options);
      const columns = Math.min(mostColumns, session.io.terminal.output.columns ?? 100);
      const isText = options.output === "text" || options.output === "name";
      const method = FiguresServiceService.readHistory;
      const request = ReadHistoryRequest.fromPartial({
        name: measuredName("name", given),
        figures: readFigures(options),
        part: options.part,
        startTime: new Date(range.startMs),
        endTime: new Date(range.endMs),
        maxPoints: isText ? Math.max(60, columns * 2) : jsonPoints,
      });
      const response = await session.call(method, request);
      await session.printResponse(options.output, method, response, () =>
        historyLines(response.series, { name: request.name, range, columns, dots: hasBraille(process.env) }).join("\n"),
      );
    });
  withNotes(
    command,
    `Of the last hour there are points as fine as they were collected: each second while somebody watched, else each 10 s;
of the last day there is one a minute. The figures are ${allFigures
      .filter(({ isTotal }) => !isTotal)
      .map(({ word }) => word)
      .join(", ")}.`,
  );
  withExamples(
    command,
    "zor history alpha/vm1",
    "zor history alpha/vm1 --cpu --since 10m",
    "zor history alpha --figure load --since 24h",
    "zor history alpha --disk --part disk:sda",
    "zor history link:cable1 --net -o json",
  );
}

function readRange({ since, until }: HistoryOptions): ChartRange {
  const nowMs = Date.now();
  const endMs = until === undefined ? nowMs : parsePast("--until", until, nowMs).getTime();
  const startMs = parsePast("--since", since, nowMs).getTime();
  if (startMs >= endMs) throw invalidArgument("--since", "is not before --until");
  return { startMs, endMs };
}

function readFigures(options: HistoryOptions): Figure[] {
  const named = options.figure.map((word) => {
    const found = figureNamed(word);
    if (found !== undefined) return found.figure;
    const like = nearest(
      word,
      allFigures.map((each) => each.word),
    );
    throw invalidArgument(
      "--figure",
      `there is no figure ${quote(word)}${like === undefined ? "" : `; is it ${like}?`}`,
    );
  });
  const grouped = Object.entries(groups).flatMap(([word, figures]) =>
    options[word as keyof typeof groups] === true ? [...figures] : [],
  );
  return [...new Set([...grouped, ...named])];
}
