import { describe, expect, it } from "vitest";
import { trouble } from "../../../lib/tls/certificate-trouble.js";

const from = new Date("2026-05-01T10:00:00Z");
const until = new Date("2026-05-31T10:00:00Z");
const of = (identity: string, now: string) =>
  trouble({ whose: "10.0.0.1:7440's", facts: { uris: [identity], notBefore: from, notAfter: until } }, new Date(now));

describe("what is wrong with a certificate's dates", () => {
  it("is nothing while it is valid", () => {
    expect(of("zor://hub/main", "2026-05-02T00:00:00Z")).toBeUndefined();
  });

  it("is a clock when it is not yet valid: both times and whose", () => {
    expect(of("zor://hub/main", "2026-05-01T09:00:00Z")).toBe(
      `10.0.0.1:7440's certificate (zor://hub/main) is valid from 2026-05-01T10:00:00.000Z, and the clock of this machine says 2026-05-01T09:00:00.000Z: one of the two clocks is wrong by 60 min or more; compare "date -u" on both machines and set the wrong one`,
    );
  });

  it.each([
    ["zor://host/alpha", 'run there "zor agent join TOKEN", with a token from "zor token create --host alpha"'],
    ["zor://user/ana", 'run "zor join TOKEN"'],
    ["zor://hub/main", "restart the hub"],
  ])("of %s that expired is since when, by which clock, and what heals it", (identity, remedy) => {
    const told = of(identity, "2026-06-03T10:00:00Z");
    expect(told).toContain(
      "expired at 2026-05-31T10:00:00.000Z, 3 days ago, as the clock of this machine says 2026-06-03",
    );
    expect(told).toContain(remedy);
  });
});
