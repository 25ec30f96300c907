import { invalidArgument } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { dryRunOption, type Registrar, ResourceArgument, responseOutput, withExamples } from "../command.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat } from "../session.js";

interface CdromOptions {
  readonly output: OutputFormat;
  readonly host?: string;
  readonly dryRun?: boolean;
  readonly drive?: string;
  readonly insert?: string;
  readonly eject?: boolean;
  readonly force?: boolean;
}

/** `zor cdrom NAME --insert FILE | --eject`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("cdrom")
    .description("Change what lies in a CD-ROM drive of an instance, running or not.")
    .addArgument(new ResourceArgument("<name>", "instance", "instance"))
    .option("--insert <file>", "an image in an image directory of the host")
    .option("--eject", "take out what lies in it")
    .option("--drive <name>", "the drive, such as cdrom0 (default: the only one)")
    .option("--force", "open the tray although the guest has locked it")
    .option("--host <host>", "the host of a name without one")
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (text: string, options: CdromOptions) => {
      const session = open(command);
      if ((options.insert === undefined) === (options.eject !== true)) {
        throw invalidArgument("--insert", "say either --insert FILE or --eject");
      }
      const name = await resolveName(session, kindNamed("instance"), text, options.host);
      const method = InstanceServiceService.changeMedium;
      const image = options.insert ?? "";
      const response = await session.call(method, {
        name,
        requestId: session.requestId(),
        validateOnly: options.dryRun === true,
        drive: options.drive ?? "",
        image,
        force: options.force === true,
      });
      await session.printResponse(options.output, method, response, () => {
        if (options.output === "name") return escapeText(name);
        const done = image === "" ? "the drive is empty" : `${image} is in the drive`;
        const would = options.dryRun === true ? "could be changed; nothing was: " : "";
        return escapeText(`${shortName(name)}: ${would}${done}`);
      });
    });
  withExamples(
    command,
    "zor cdrom alpha/vm1 --insert install.iso",
    "zor cdrom vm1 --eject --force",
    "zor cdrom vm1 --drive cdrom1 --insert drivers.iso --dry-run",
  );
}
