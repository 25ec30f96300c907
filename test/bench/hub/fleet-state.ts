import "reflect-metadata";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PublicKey } from "@peculiar/x509";
import { hubConfigSchema } from "../../../hub/config.js";
import { putHost } from "../../../hub/fleet/host-record.js";
import { profileOf } from "../../../hub/pki/profile.js";
import { openState } from "../../../hub/state-directory.js";
import { createKeyPem } from "../../../lib/tls/identity.js";
import { Host } from "../../../proto/gen/zor/v1/host.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { type AgentIdentities, hostId } from "./agents.js";

/** A hub's state directory with a fleet that has joined. */
export interface FleetState {
  readonly state: string;
  /** File with the identities of the agents. */
  readonly identities: string;
  /** Registers the hosts at the addresses of their agents. The hub can be started then. */
  register(ports: readonly number[]): Promise<void>;
}

/** Makes the state of a hub and the certificates of its hosts, which have one key: what is measured does not depend on it. */
export async function makeFleetState(directory: string, hosts: number): Promise<FleetState> {
  const config = hubConfigSchema.parse({ state: join(directory, "hub") });
  const state = await openState(config, new Date());
  const keyPem = createKeyPem();
  const spki = createPublicKey(createPrivateKey(keyPem)).export({ type: "spki", format: "der" });
  const publicKey = new PublicKey(new Uint8Array(spki));
  const certificates: string[] = [];
  for (let index = 0; index < hosts; index += 1) {
    const id = hostId(index);
    const profile = profileOf({ kind: "host", id, role: Role.ROLE_UNSPECIFIED }, { hostDays: 30, personDays: 7 });
    certificates.push((await state.authority.issue(publicKey, id, profile)).pem);
  }
  const identities = join(directory, "agents.json");
  const made: AgentIdentities = { keyPem, caPem: state.authority.certificatePem, certificates };
  await writeFile(identities, JSON.stringify(made), { mode: 0o600 });
  return {
    state: config.state,
    identities,
    register: async (ports) => {
      const changes = certificates.map((_, index) => {
        const id = hostId(index);
        const port = ports[index % ports.length] ?? 0;
        const addresses = [`127.0.0.1:${port}`];
        const host = Host.fromPartial({ name: `hosts/${id}`, uid: `uid-${id}`, addresses, createTime: new Date() });
        return putHost({ id, host, changedBy: "" }, 0n);
      });
      await state.store.commit(changes);
      await state.close();
    },
  };
}
