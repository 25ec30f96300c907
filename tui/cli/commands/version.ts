import { status } from "@grpc/grpc-js";
import { ZorError } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { version } from "../../../lib/program.js";
import type { Host } from "../../../proto/gen/zor/v1/host.js";
import { GetVersionResponse, VersionServiceService } from "../../../proto/gen/zor/v1/version_service.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { outputOption, type Registrar, withExamples } from "../command.js";
import { listKind } from "../kinds.js";
import { isStructured } from "../output/forms.js";
import type { OutputFormat, Session } from "../session.js";

/** `zor version`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("version")
    .description("Show the versions of zor, of the hub or agent that it talks to, and of the agents of hosts.")
    .addOption(outputOption(["text", "json", "yaml"], "text"))
    .action(async ({ output }: { readonly output: OutputFormat }) => {
      const session = open(command);
      const server = await serverVersion(session);
      const listing = await listKind(await session.connect(), kindNamed("host"), {}, session.readOptions());
      const agents = listing.resources.map(({ value }) => {
        // What is listed is of the kind that was asked for.
        const { name, fingerprint } = value as Host;
        return { host: name, version: fingerprint?.agentVersion ?? "", build: fingerprint?.agentBuild ?? "" };
      });
      if (isStructured(output)) {
        await session.printJson(output, { zor: version, server: GetVersionResponse.toJSON(server), agents });
        return;
      }
      const told = server.version || "does not tell its version";
      session.print(`zor    ${version}`);
      session.print(escapeText(`${server.program.padEnd(6)} ${told}${buildText(server)}`));
      for (const agent of agents)
        session.print(
          escapeText(`agent  ${agent.version || "not known yet"}${buildText(agent)}  ${shortName(agent.host)}`),
        );
    });
  withExamples(command, "zor version", "zor version -o json | jq .agents");
}

function buildText({ build }: { readonly build: string }): string {
  return build === "" ? "" : ` (build ${build})`;
}

/** One that was made before the question is known by not knowing it. */
async function serverVersion(session: Session): Promise<GetVersionResponse> {
  try {
    return await session.call(VersionServiceService.getVersion, {});
  } catch (error) {
    if (!(error instanceof ZorError && error.code === status.UNIMPLEMENTED)) throw error;
    return GetVersionResponse.fromPartial({ program: "server" });
  }
}
