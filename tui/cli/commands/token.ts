import type { Command } from "commander";
import { toDuration } from "../../../lib/duration.js";
import { findRole } from "../../../lib/auth/caller.js";
import { invalidArgument } from "../../../lib/errors.js";
import { parseId, quote } from "../../../lib/names.js";
import { type CreateTokenRequest, Role, TokenServiceService } from "../../../proto/gen/zor/v1/token_service.js";
import { escapeText } from "../../kit/text/escape.js";
import { outputOption, type Registrar, withExamples, yesOption } from "../command.js";
import { confirm } from "../confirm.js";
import { parseDurationMs } from "../../kit/input/durations.js";
import type { OutputFormat } from "../session.js";

/** `zor token create|revoke`. */
export function define({ program, open }: Registrar): void {
  const token = program.command("token").description("Issue join tokens, revoke identities. Admins only.");
  token.helpCommand(false);
  defineCreate(token, open);
  defineRevoke(token, open);
}

interface CreateOptions {
  readonly output: OutputFormat;
  readonly user?: string;
  readonly service?: string;
  readonly host?: string;
  readonly role: string;
  readonly ttl?: string;
}

function defineCreate(token: Command, open: Registrar["open"]): void {
  const command = token
    .command("create")
    .description("Issue a single-use token with which a person, a service or a registered host joins.")
    .option("--user <id>", "for a person, who then runs: zor join TOKEN")
    .option("--service <id>", "for a service")
    .option("--host <id>", "for a registered host, on which one then runs: zor agent join TOKEN")
    .option("--role <role>", "viewer, operator or admin; for people and services", "viewer")
    .option("--ttl <time>", "how long it works, at most 24h (default: 15m)")
    .addOption(outputOption(["text", "json", "yaml"], "text"))
    .action(async (options: CreateOptions) => {
      const session = open(command);
      const subject = subjectOf(options);
      const method = TokenServiceService.createToken;
      const response = await session.call(method, {
        subject,
        role: subject.$case === "hostId" ? Role.ROLE_UNSPECIFIED : parseRole(options.role),
        ttl: options.ttl === undefined ? undefined : toDuration(parseDurationMs("--ttl", options.ttl)),
        requestId: session.requestId(),
      });
      await session.printResponse(options.output, method, response, () => escapeText(response.token));
      if (options.output !== "text") return;
      const until = response.expireTime === undefined ? "" : `, until ${response.expireTime.toISOString()}`;
      session.note(`The token works once${until}; it is not shown again.`);
    });
  withExamples(
    command,
    "zor token create --user ana --role operator",
    "zor token create --service ci --role operator --ttl 1h",
    "zor token create --host gamma",
  );
}

function subjectOf({ user, service, host }: CreateOptions): NonNullable<CreateTokenRequest["subject"]> {
  const subjects: NonNullable<CreateTokenRequest["subject"]>[] = [];
  if (user !== undefined) subjects.push({ $case: "userId", value: parseId("--user", user) });
  if (service !== undefined) subjects.push({ $case: "serviceId", value: parseId("--service", service) });
  if (host !== undefined) subjects.push({ $case: "hostId", value: parseId("--host", host) });
  const [subject] = subjects;
  if (subject !== undefined && subjects.length === 1) return subject;
  throw invalidArgument("--user", "say for whom: exactly one of --user, --service and --host");
}

function parseRole(text: string): Role {
  const role = findRole(text);
  if (role !== undefined) return role;
  throw invalidArgument("--role", `${quote(text)} is not a role; the roles are viewer, operator and admin`);
}

interface RevokeOptions {
  readonly output: OutputFormat;
  readonly yes?: boolean;
}

function defineRevoke(token: Command, open: Registrar["open"]): void {
  const command = token
    .command("revoke")
    .description("Revoke the certificates of a person, service or host and end its streams.")
    .argument("<identity>", "such as zor://user/ana, or user/ana")
    .addOption(yesOption())
    .addOption(outputOption(["text", "json", "yaml"], "text"))
    .action(async (text: string, options: RevokeOptions) => {
      const session = open(command);
      const identity = text.startsWith("zor://") ? text : `zor://${text}`;
      if (!/^zor:\/\/(user|service|host)\/[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(identity)) {
        throw invalidArgument("identity", `${quote(text)} is not an identity such as zor://user/ana`);
      }
      const plan = [`This revokes every certificate of ${identity}; it must join again with a new token.`];
      if (!(await confirm(session, plan, "Revoke?", options))) return;
      const method = TokenServiceService.revokeIdentity;
      const response = await session.call(method, { identity, requestId: session.requestId() });
      await session.printResponse(options.output, method, response, () => `${identity} revoked`);
    });
  withExamples(command, "zor token revoke user/ana", "zor token revoke zor://service/ci --yes");
}
