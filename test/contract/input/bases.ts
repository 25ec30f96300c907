import type { JsonObject } from "@bufbuild/protobuf";
import { findKindBySingular, findRule } from "../../../lib/kinds/kinds.js";
import type { Place } from "./request-fields.js";

const impairment: JsonObject = { delay: "0.001s" };
const schedule = [{ duration: "1s", impairment }];
const impaired: JsonObject = { aToB: impairment, bToA: impairment, schedule };

/** Specs that each driver would take; the field under test is put in. */
const driverBases: Readonly<Record<string, JsonObject>> = {
  qemu: { kernel: "micro", disks: [{ sizeMib: "64" }], cdroms: [{}], usb: {} },
  crun: { rootfs: "micro" },
  docker: { image: "micro" },
  podman: { image: "micro" },
  libvirt: {},
};

/** Pools that each backend would take, were they allowed; the field under test is put in. */
const poolBases: Readonly<Record<string, JsonObject>> = {
  directory: { path: "/none" },
  lvmThin: { volumeGroup: "group", thinPool: "thin" },
  nfs: { server: "nas.invalid", export: "/export" },
  rbd: { pool: "lab", user: "zor" },
  iscsi: { portal: "127.0.0.1:1", target: "iqn.2001-04.com.example:storage" },
  gluster: { server: "nas.invalid", volume: "lab" },
};

/** Requests that would be taken. Of other methods only the resource is named. */
const bases: Readonly<Record<string, JsonObject>> = {
  CreatePool: { poolId: "{id}", pool: { spec: {} }, validateOnly: true },
  CreateVolume: { volumeId: "{id}", volume: { spec: { sizeMib: "64" } }, validateOnly: true },
  CreateLan: { lanId: "{id}", lan: { spec: { rspans: [{ mirror: "span1", vlan: 300 }] } } },
  CreateA2b: { a2bId: "{id}", a2b: { spec: { lanA: "lan1", lanB: "lan3", ...impaired } }, validateOnly: true },
  CreateWire: { wireId: "{id}", wire: { spec: { ...impaired } }, validateOnly: true },
  CreateNat: {
    natId: "{id}",
    nat: {
      spec: {
        lan: "lan1",
        subnet: "10.77.0.0/24",
        forwards: [{ listenPort: 8080, address: "10.77.0.10", port: 80 }],
        boot: { directory: "/srv", file: "a" },
      },
    },
    validateOnly: true,
  },
  CreateVtep: { vtepId: "{id}", vtep: { spec: { remote: "10.0.0.9", vni: 42 } }, validateOnly: true },
  CreateHost: { hostId: "{id}", host: {}, validateOnly: true },
  CreateLink: {
    linkId: "{id}",
    link: { spec: { a: "hosts/h1/lans/lan1", b: "hosts/h1/lans/lan3", ...impaired } },
    validateOnly: true,
  },
  CreateExpose: {
    exposeId: "{id}",
    expose: { spec: { instance: "hosts/h1/instances/c1", port: 80 } },
    validateOnly: true,
  },
  CreateToken: { userId: "eve", role: "ROLE_VIEWER" },
  CreateBackup: { backup: { spec: { instance: "m1" } }, validateOnly: true },
  Connect: { open: { name: "hosts/h1/instances/c1", port: 22 } },
  CreateSnapshot: { snapshotId: "{id}", snapshot: { spec: { instance: "m1" } }, validateOnly: true },
  UpdateHost: { host: { name: "hosts/h2" } },
  UpdateImage: { image: { name: "hosts/h1/images/disk", spec: {} } },
  UpdateA2b: { a2b: { name: "hosts/h1/a2bs/b1", spec: { lanA: "lan1", lanB: "lan2", ...impaired } } },
  RevokeIdentity: { identity: "zor://user/nobody" },
  AttachLan: { endpoint: "hosts/h1/instances/c1/nics/eth0", validateOnly: true },
  DetachLan: { endpoint: "hosts/h1/instances/c1/nics/eth0", validateOnly: true },
  SaveInstance: { image: "saved", validateOnly: true },
  CloneInstance: { instanceId: "{id}", validateOnly: true },
  ImportImage: { begin: { parent: "hosts/h1", imageId: "{id}", uploadId: "{id}", sizeBytes: "512" } },
  AbortImport: { uploadId: "{id}", validateOnly: true },
  PushImage: { targets: ["hosts/h2"], validateOnly: true },
  BuildImage: { imageId: "{id}", recipe: "tiny", validateOnly: true },
  Exec: { start: { name: "hosts/h1/instances/c1", command: ["true"], size: { columns: 80, rows: 24 } } },
  OpenShell: { open: { name: "hosts/h1", size: { columns: 80, rows: 24 } } },
  AttachConsole: { open: { name: "hosts/h1/instances/c1", size: { columns: 80, rows: 24 } } },
  ReadHistory: { name: "hosts/h1" },
  StartWave: {
    spec: { method: "zor.v1.InstanceService/StartInstance", names: ["hosts/h1/instances/c1"] },
    validateOnly: true,
  },
  WaitOperation: { timeout: "0.1s" },
};

/** What there is of each driver's. */
const instanceOf: Readonly<Record<string, string>> = { crun: "hosts/h1/instances/c1", qemu: "hosts/h1/instances/m1" };

const samples: Readonly<Record<string, string>> = {
  host: "hosts/h1",
  instance: "hosts/h1/instances/c1",
  lan: "hosts/h1/lans/lan1",
  image: "hosts/h1/images/disk",
  a2b: "hosts/h1/a2bs/b1",
  link: "links/none",
  expose: "exposes/none",
  pool: "hosts/h1/pools/default",
  snapshot: "hosts/h1/snapshots/none",
  session: "hosts/h1/sessions/none",
  operation: "hosts/h1/operations/none",
};

/** The request a place is tried in. "{id}" stands for an id that is free. */
export function baseOf({ method, fields }: Pick<Place, "method" | "fields">): JsonObject {
  const rule = findRule(`/${method.parent.typeName}/${method.name}`);
  const canOnlyValidate = method.input.fields.some(({ name }) => name === "validate_only");
  const own = withNeeds(bases[method.name] ?? {}, fields.map(jsonNameOf));
  const isInstance = rule?.kind === "instance" && (rule.verb === "create" || rule.verb === "update");
  const driver = fields.map(({ name }) => name).find((name) => driverBases[name] !== undefined) ?? "crun";
  const isOfSchedule = fields.some(({ name }) => name === "schedules");
  const spec = {
    nics: driver === "libvirt" ? [] : [{}],
    [driver]: driverBases[driver] ?? {},
    ...(isOfSchedule ? { schedules: [{ name: "s", action: "SCHEDULE_ACTION_SNAPSHOT", everySeconds: "3600" }] } : {}),
  };
  const creation: JsonObject =
    rule?.verb === "create"
      ? { instance: { spec }, leaveStopped: true, validateOnly: true }
      : { instance: { name: instanceOf[driver] ?? "", spec }, validateOnly: true };
  const kind = findKindBySingular(rule?.kind ?? "");
  const target = samples[rule?.kind ?? ""] ?? `hosts/h1/${kind?.plural ?? "nothing"}/none`;
  const made: JsonObject = rule?.verb === "create" && rule.id !== undefined ? { [rule.id]: "{id}" } : {};
  const named: JsonObject =
    rule === undefined || rule.route === ""
      ? {}
      : rule.route === "parent"
        ? { parent: "hosts/h1" }
        : rule.route
            .split(".")
            .reduceRight<JsonObject>((value, key) => ({ [key]: value["value"] ?? value }), { value: target });
  const isReal = rule?.verb === "create";
  return {
    ...named,
    ...made,
    ...(!isReal && canOnlyValidate ? { validateOnly: true } : {}),
    ...(isInstance ? creation : own),
  };
}

/** What a field needs beside it: the other names of a pool's backend, the log of a position. */
function withNeeds(base: JsonObject, way: readonly string[]): JsonObject {
  const [first = "", second = "", third = ""] = way;
  const inside = asObject(base[first]);
  if (base["poolId"] !== undefined) {
    // Other fields of a pool's spec than its backend stand beside one.
    const backend = third in poolBases ? third : "directory";
    return { ...base, pool: { ...inside, spec: { [backend]: poolBases[backend] ?? {} } } };
  }
  if (second !== "resume") return base;
  return { ...base, [first]: { ...inside, resume: { log: "0" } } };
}

function jsonNameOf({ jsonName }: Place["fields"][number]): string {
  return jsonName;
}

function asObject(value: JsonObject[string] | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}
