import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { untilRenewalMs } from "../../../agent/renewal.js";
import { certificateFacts } from "../../../lib/tls/identity.js";
import { TestPki } from "../../helpers/pki.js";

it("a certificate is due for renewal when two thirds of its life are over", async () => {
  const directory = await mkdtemp(join(tmpdir(), "zt-renew-"));
  try {
    const { certificatePem } = await (await TestPki.create(directory)).host("h1");
    const { notBefore, notAfter } = certificateFacts(certificatePem);
    const life = notAfter.getTime() - notBefore.getTime();
    expect(untilRenewalMs(certificatePem, notBefore)).toBeCloseTo((life * 2) / 3);
    expect(untilRenewalMs(certificatePem, new Date(notAfter.getTime() - life / 4))).toBeLessThan(0);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
