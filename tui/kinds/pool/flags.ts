import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { listed } from "../../../lib/words.js";
import type { Pool } from "../../../proto/gen/zor/v1/pool.js";
import { type FlagValues, flagText, type KindCommands } from "../../kit/kind-commands.js";

const description = { flags: "-m, --description <text>", help: "what people say of it" };

/** What a pool can be made of, by the name of the flag. */
const storages: Readonly<Record<string, (text: string) => object>> = {
  directory: (path) => ({ $case: "directory", value: { path } }),
  lvm: (text) => {
    const [volumeGroup, thinPool] = parted("--lvm", text, "/");
    return { $case: "lvmThin", value: { volumeGroup, thinPool } };
  },
  nfs: (text) => {
    const [server, path] = parted("--nfs", text, ":/");
    return { $case: "nfs", value: { server, export: `/${path}` } };
  },
  rbd: (text) => {
    const [pool, user = ""] = text.split("@").reverse();
    return { $case: "rbd", value: { pool, user } };
  },
  iscsi: (text) => {
    const [portal, target] = parted("--iscsi", text, "/");
    return { $case: "iscsi", value: { portal, target } };
  },
  gluster: (text) => {
    const [server, volume] = parted("--gluster", text, "/");
    return { $case: "gluster", value: { server, volume } };
  },
};

/** What the command line can say of pools. */
export const poolCommands: KindCommands<Pool> = {
  changeable: ["labels", "annotations", "spec"],
  create: {
    description:
      "Make storage of a host known as a pool that volumes are made in. The agent's setting storagePools says of what.",
    flags: [
      { flags: "--directory <path>", help: "a directory of the host" },
      { flags: "--lvm <group/pool>", help: "a thin pool of LVM" },
      { flags: "--nfs <server:/export>", help: "a directory of an NFS server" },
      { flags: "--rbd <[user@]pool>", help: "a pool of the host's Ceph cluster" },
      { flags: "--iscsi <portal/target>", help: "a target of an iSCSI portal" },
      { flags: "--gluster <server/volume>", help: "a volume of GlusterFS" },
      description,
    ],
    examples: ["alpha/fast --directory /srv/fast", "alpha/lab --nfs 10.0.0.9:/export/lab"],
    read: ({ values }) => ({
      spec: { description: flagText(values, "description") ?? "", backend: readStorage(values) },
    }),
  },
  set: {
    description: "Change what is said of a pool.",
    flags: [description],
    examples: ["alpha/fast -m 'on the new disks'"],
    read: ({ values }) => {
      const text = flagText(values, "description");
      return text === undefined
        ? { resource: {}, paths: [] }
        : { resource: { spec: { description: text } }, paths: ["spec.description"] };
    },
  },
};

function readStorage(values: FlagValues): object {
  const given = Object.keys(storages).filter((name) => values[name] !== undefined);
  const [name] = given;
  const read = name === undefined ? undefined : storages[name];
  if (name !== undefined && read !== undefined && given.length === 1) return read(flagText(values, name) ?? "");
  const flags = Object.keys(storages).map((each) => `--${each}`);
  throw invalidArgument("--directory", `say what the pool is made of, once: ${listed(flags, undefined, "or")}`);
}

function parted(flag: string, text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  if (at > 0 && at + separator.length < text.length) return [text.slice(0, at), text.slice(at + separator.length)];
  throw invalidArgument(flag, `${quote(text)} does not have two parts with "${separator}" between`);
}
