import { toMs } from "../../../lib/duration.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { type InstanceStatistics, StatisticsServiceService } from "../../../proto/gen/zor/v1/statistics_service.js";
import { formatBytes } from "../../kit/format.js";
import { escapeText } from "../../kit/text/escape.js";
import { type Registrar, ResourceArgument, responseOutput, withExamples } from "../command.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat } from "../session.js";

interface StatsOptions {
  readonly output: OutputFormat;
  readonly host?: string;
}

/** `zor stats NAME`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("stats")
    .description("What an instance uses: CPU time, memory, disks and interfaces, counted since it was started.")
    .addArgument(new ResourceArgument("<name>", "instance", "instance"))
    .option("--host <host>", "the host of a name without one")
    .addOption(responseOutput())
    .action(async (given: string, options: StatsOptions) => {
      const session = open(command);
      const name = await resolveName(session, kindNamed("instance"), given, options.host);
      const method = StatisticsServiceService.readStatistics;
      const response = await session.call(method, { name });
      await session.printResponse(options.output, method, response, () =>
        options.output === "name" ? escapeText(name) : statisticsText(response.statistics),
      );
    });
  withExamples(command, "zor stats alpha/vm1", "zor stats vm1 -o json");
}

/** The counters for people, a line for each. */
export function statisticsText(statistics: InstanceStatistics | undefined): string {
  const { cpuTime, memoryBytes, memoryLimitBytes, disks = [], interfaces = [] } = statistics ?? {};
  const most = memoryLimitBytes === undefined ? "" : ` of ${formatBytes(memoryLimitBytes)}`;
  const lines = [
    ...(cpuTime === undefined ? [] : [["cpu", `${(toMs(cpuTime) / 1000).toFixed(1)} s`]]),
    ...(memoryBytes === undefined ? [] : [["memory", `${formatBytes(memoryBytes)}${most}`]]),
    ...disks.map(({ name, readBytes, writeBytes, readOperations, writeOperations }) => [
      `disk ${name}`,
      `read ${formatBytes(readBytes)} (${readOperations}), written ${formatBytes(writeBytes)} (${writeOperations})`,
    ]),
    ...interfaces.map(({ name, rxBytes, txBytes, rxPackets, txPackets, rxDropped, txDropped }) => [
      `interface ${name}`,
      `received ${formatBytes(rxBytes)} (${rxPackets}, ${rxDropped} dropped), sent ${formatBytes(txBytes)} (${txPackets}, ${txDropped} dropped)`,
    ]),
  ] as const;
  const width = Math.max(0, ...lines.map(([title = ""]) => title.length));
  if (lines.length === 0) return "its runtime counts nothing";
  return lines.map(([title = "", text = ""]) => `${escapeText(title.padEnd(width))}  ${escapeText(text)}`).join("\n");
}
