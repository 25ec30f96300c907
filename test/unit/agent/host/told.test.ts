import { expect, it } from "vitest";
import { toldOf } from "../../../../agent/host/told.js";

it.each([
  [
    "ENOENT: no such file or directory, open '/var/lib/zor/storage/p1/v.qcow2'",
    "ENOENT: no such file or directory, open 'v.qcow2'",
  ],
  ["mount: /srv/pools/one: permission denied", "mount: one: permission denied"],
  ["in --file=/root/secrets/key and /etc/zor/agent.json", "in --file=key and agent.json"],
  [
    "access denied by server while mounting 10.0.0.1:/srv/labs",
    "access denied by server while mounting 10.0.0.1:/srv/labs",
  ],
  ["https://registry.example/v2/a/b says 404", "https://registry.example/v2/a/b says 404"],
  ["hosts/alpha/pools/p1 is full, 3/4 of 10.0.0.0/24", "hosts/alpha/pools/p1 is full, 3/4 of 10.0.0.0/24"],
])("tells no directory of the host: %s", (said, told) => {
  expect(toldOf(new Error(said))).toBe(told);
});
