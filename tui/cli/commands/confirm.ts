import { kindNamed } from "../../../lib/kinds/kinds.js";
import { PhyServiceService } from "../../../proto/gen/zor/v1/phy_service.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { asChosen, type ChosenOptions, chosenNames } from "../chosen.js";
import { type Registrar, ResourceArgument, responseOutput, withExamples } from "../command.js";
import { forEachName } from "../for-each-name.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat } from "../session.js";

interface ConfirmOptions extends ChosenOptions {
  readonly output: OutputFormat;
}

/** `zor confirm PHY...`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("confirm")
    .description(
      "Say that a host is still reached although it has given an interface to a lan: phys of --confirm-within stay there. Without it they are given back.",
    )
    .addArgument(new ResourceArgument("[phys...]", "phys to confirm", "phy"));
  asChosen(command)
    .addOption(responseOutput())
    .action(async (names: string[], options: ConfirmOptions) => {
      const session = open(command);
      const method = PhyServiceService.confirmPhy;
      const chosen = await chosenNames(session, kindNamed("phy"), names, options);
      await forEachName(session, chosen, options.output, async (text, part) => {
        const name = await resolveName(session, kindNamed("phy"), text, options.host);
        const request = { name, requestId: session.requestId(part), validateOnly: false };
        const response = await session.call(method, request);
        await session.printResponse(options.output, method, response, () =>
          escapeText(options.output === "name" ? name : `phy ${shortName(name)} confirmed`),
        );
      });
    });
  withExamples(command, "zor confirm alpha/uplink", "zor confirm --all --host alpha");
}
