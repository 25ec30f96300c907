import { type FieldViolation, invalidFields } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { run, ToolError } from "../../host/exec.js";
import { toldOf } from "../../host/told.js";
import { parseSpecFlow } from "./spec-flows.js";

/**
 * Has Open vSwitch's own parser read the flows of a lan's specification, which {@link parseSpecFlow} has taken apart.
 * @throws {ZorError} INVALID_ARGUMENT: what it says against one, or that two match the same
 */
export async function examineFlows(field: string, texts: readonly string[]): Promise<void> {
  if (texts.length === 0) return;
  const numbers = new Map<string, number>();
  const numberOf = (name: string): number => {
    const number = numbers.get(name) ?? numbers.size + 1;
    numbers.set(name, number);
    return number;
  };
  const flows = texts.map(parseSpecFlow).filter((flow) => typeof flow !== "string");
  const input = `${flows.map((flow) => flow.write(numberOf)).join("\n")}\n`;
  let output: string;
  let remarks: string;
  try {
    ({ stdout: output, stderr: remarks } = await run("ovs-ofctl", ["-O", "OpenFlow14", "parse-flows", "-"], { input }));
  } catch (error) {
    if (!(error instanceof ToolError) || error.exitCode === undefined) throw error;
    const [, line, why] = /ovs-ofctl: -:(\d+): (.*)/.exec(error.stderrTail) ?? [];
    const index = Number(line ?? 1) - 1;
    throw invalidFields([wrong(field, index, `${quote(texts[index] ?? "")}: ${why ?? toldOf(error)}`)]);
  }
  // It leaves out what has no meaning without other fields: the flow would take more than it says.
  const [, lost] = /normalization changed ofp_match.*?pre: ([^\n]*)/s.exec(remarks) ?? [];
  if (lost !== undefined) {
    const description = `${quote(lost)} matches fields without what they need before them, such as tcp before tp_dst`;
    throw invalidFields([{ field, description }]);
  }
  const matches = output.split("\n").flatMap((line) => /^OFPT_FLOW_MOD.*?: ADD (.*?) ?actions=/.exec(line)?.[1] ?? []);
  const twice = matches.findIndex((match, index) => matches.indexOf(match) !== index);
  if (twice === -1) return;
  const other = texts[matches.indexOf(matches[twice] ?? "")] ?? "";
  throw invalidFields([wrong(field, twice, `matches the same with the same priority as ${quote(other)}; change one`)]);
}

function wrong(field: string, index: number, description: string): FieldViolation {
  return { field: `${field}[${index}]`, description };
}
