import type { Command } from "commander";
import { certificateFacts, createKeyPem, derToPem, loadIdentity, saveIdentity } from "../../../lib/tls/identity.js";
import { RenewServiceService } from "../../../proto/gen/zor/v1/join_service.js";
import { escapeText } from "../../kit/text/escape.js";
import { type Registrar, responseOutput, withExamples } from "../command.js";
import type { OutputFormat } from "../session.js";

/** `zor context renew`. */
export function defineRenew(parent: Command, open: Registrar["open"]): void {
  const command = parent
    .command("renew")
    .description(
      "Get a new key and certificate for the identity of the context in use, before the one it has expires. Name and role stay.",
    )
    .addOption(responseOutput())
    .action(async ({ output }: { readonly output: OutputFormat }) => {
      const session = open(command);
      const { name, identityDirectory } = await session.context();
      const { caPem } = await loadIdentity(identityDirectory);
      // The library that makes requests takes its time to load.
      const { createCsr } = await import("../../../lib/tls/csr.js");
      const keyPem = createKeyPem();
      const method = RenewServiceService.renew;
      const response = await session.call(method, { csr: await createCsr(keyPem) });
      const certificatePem = derToPem(response.certificate);
      await saveIdentity(identityDirectory, { keyPem, certificatePem, caPem });
      const { uris, notAfter } = certificateFacts(certificatePem);
      await session.printResponse(output, method, response, () =>
        escapeText(
          output === "name" ? name : `${uris.join(", ")} has a new certificate, good until ${notAfter.toISOString()}`,
        ),
      );
    });
  withExamples(command, "zor context renew", "zor context renew --context lab2");
}
