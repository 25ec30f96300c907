import type { JsonValue } from "@bufbuild/protobuf";
import type { FormHints } from "../../kit/form-hints.js";
import type { MessageJson } from "../../kit/input/fields.js";
import { scalarText } from "../../kit/input/scalar-text.js";
import { takenOut } from "../../kit/input/taken-out.js";

type Texts = Readonly<Record<string, string>>;

/** The flag that says each backend, by the name of its field: the inverse of what the command reads. */
const flags: Readonly<Record<string, (texts: Texts) => readonly [string, string]>> = {
  directory: ({ path = "" }) => ["--directory", path],
  lvmThin: ({ volumeGroup = "", thinPool = "" }) => ["--lvm", `${volumeGroup}/${thinPool}`],
  nfs: ({ server = "", export: path = "" }) => ["--nfs", `${server}:${path}`],
  rbd: ({ pool = "", user = "" }) => ["--rbd", user === "" ? pool : `${user}@${pool}`],
  iscsi: ({ portal = "", target = "" }) => ["--iscsi", `${portal}/${target}`],
  gluster: ({ server = "", volume = "" }) => ["--gluster", `${server}/${volume}`],
};

/** How pools are made and changed in a form. */
export const poolForm: FormHints = {
  say: (resource) => {
    const spec = asMessage(resource["spec"]);
    const backend = Object.keys(flags).find((name) => spec[name] !== undefined);
    if (backend === undefined) return { words: [], flags: [], rest: resource };
    const texts = asMessage(spec[backend]);
    const said = flags[backend]?.(
      Object.fromEntries(Object.entries(texts).map(([key, value]) => [key, scalarText(value)])),
    );
    return { words: [], flags: said ?? [], rest: takenOut(resource, [backend]).rest };
  },
};

function asMessage(value: JsonValue | undefined): MessageJson {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}
