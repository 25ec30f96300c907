import { status } from "@grpc/grpc-js";
import { ZorError } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { timeLimit } from "../../../lib/time-limit.js";
import {
  type DiagnosedHop,
  DiagnoseLinkResponse,
  HopVerdict,
  type LinkDiagnosis,
  LinkServiceService,
} from "../../../proto/gen/zor/v1/link_service.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { outputOption, type Registrar, ResourceArgument, withExamples } from "../command.js";
import { exitCode } from "../exit-codes.js";
import { isStructured } from "../output/forms.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat } from "../session.js";

/** `zor doctor link L`; "zor doctor" alone is the agent's. */
export function define({ program, open }: Registrar): void {
  const doctor = program.command("doctor").description("Find out what is wrong.").helpCommand(false);
  const command = doctor
    .command("link")
    .description(
      "Walk a link hop by hop, test each for real, and say in one line what is broken and what to do. Exit code 0: it works, 1: it does not.",
    )
    .addArgument(new ResourceArgument("<link>", "the link", "link"))
    .addOption(outputOption(["text", "json"], "text"))
    .action(async (text: string, { output }: { readonly output: OutputFormat }) => {
      const session = open(command);
      const name = await resolveName(session, kindNamed("link"), text);
      const connection = await session.connect();
      const hops: DiagnosedHop[] = [];
      let diagnosis: LinkDiagnosis | undefined;
      const signal = AbortSignal.any([session.io.signal, timeLimit(60_000)]);
      for await (const { message } of connection.stream(LinkServiceService.diagnoseLink, { name }, { signal })) {
        if (message?.$case === "diagnosis") diagnosis = message.value;
        if (message?.$case !== "hop") continue;
        hops.push(message.value);
        if (output === "text") for (const line of hopLines(message.value)) session.print(escapeText(line));
      }
      if (diagnosis === undefined) throw noConclusion(name);
      if (isStructured(output)) await session.printJson(output, jsonOf(hops, diagnosis));
      else for (const line of diagnosisLines(name, diagnosis)) session.print(escapeText(line));
      if (!diagnosis.healthy) session.setExitCode(exitCode.error);
    });
  withExamples(command, "zor doctor link demo", "zor doctor link demo -o json | jq .diagnosis");
}

const verdicts: Readonly<Record<number, string>> = {
  [HopVerdict.HOP_VERDICT_OK]: "ok",
  [HopVerdict.HOP_VERDICT_WARNING]: "WARNING",
  [HopVerdict.HOP_VERDICT_BROKEN]: "BROKEN",
  [HopVerdict.HOP_VERDICT_SKIPPED]: "skipped",
};

function hopLines({ host, hop, verdict, detail, remedy }: DiagnosedHop): string[] {
  const where = host === "" ? "hub" : shortName(host);
  const line = `${(verdicts[verdict] ?? "unknown").padEnd(8)} ${where.padEnd(12)} ${hop.padEnd(7)} ${detail}`.trimEnd();
  return remedy === "" ? [line] : [line, `${" ".repeat(30)}${remedy}`];
}

function diagnosisLines(name: string, { healthy, summary, remedy }: LinkDiagnosis): string[] {
  const line = `link ${shortName(name)} ${healthy ? "works" : "does not work"}: ${summary}`;
  return ["", line, ...(remedy === "" ? [] : [`what to do: ${remedy}`])];
}

/** The messages of the call, gathered. */
function jsonOf(hops: readonly DiagnosedHop[], diagnosis: LinkDiagnosis): unknown {
  const json = (message: DiagnoseLinkResponse["message"]): unknown => DiagnoseLinkResponse.toJSON({ message });
  return {
    hops: hops.map((value) => (json({ $case: "hop", value }) as { readonly hop: unknown }).hop),
    ...(json({ $case: "diagnosis", value: diagnosis }) as object),
  };
}

function noConclusion(name: string): ZorError {
  return new ZorError({
    reason: "NO_DIAGNOSIS",
    code: status.UNAVAILABLE,
    message: `the diagnosis of ${name} ended without a conclusion; try again`,
    resource: name,
  });
}
