import { VersionServiceService } from "../../../proto/gen/zor/v1/version_service.js";
import { loadContext } from "../../../tui/client/contexts.js";
import { reachHub } from "../../../tui/client/open-hub.js";
import type { InstallRig } from "../../helpers/deploy-hosts/install-rig.js";

/** Calls per second of one client, sixteen under way at a time. */
export interface CallRates {
  readonly direct: number;
  readonly throughSsh: number;
}

const atATime = 16;
const secondsEach = 5;

/** Calls the rig's hub as it is reached from here, and as a host's sshd reaches it. */
export async function measureCalls(rig: InstallRig): Promise<CallRates> {
  const context = await loadContext({ name: undefined, env: rig.env });
  const [host] = rig.hosts.hosts;
  if (host === undefined) throw new Error("there is no host to go through");
  const direct = await callsPerSecond(context, rig);
  const throughSsh = await callsPerSecond({ ...context, ssh: { host: host.name } }, rig);
  return { direct, throughSsh };
}

async function callsPerSecond(context: Parameters<typeof reachHub>[0], { env }: InstallRig): Promise<number> {
  const { signal } = new AbortController();
  const connection = await reachHub(context, { timeoutMs: 60_000, signal, ssh: { env, signal } });
  const call = () => connection.unary(VersionServiceService.getVersion, {}, { timeoutMs: 30_000 });
  // The first ones make connections and compile what runs.
  for (let warm = 0; warm < 200; warm += 1) await call();
  const begin = performance.now();
  const end = begin + secondsEach * 1000;
  let count = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() < end) {
      await call();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: atATime }, worker));
  const rate = count / ((performance.now() - begin) / 1000);
  connection.close();
  return rate;
}
