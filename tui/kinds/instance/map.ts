import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { plugOf } from "../../kit/map/plug.js";
import type { MapRole } from "../../kit/map/role.js";
import { idOf } from "../../kit/resource-name.js";
import { heardOf, nicsOf } from "./nics.js";

/** A machine or container with its interfaces, by what is wanted of them: also where it does not run. */
export const instanceMap: MapRole<Instance> = {
  shape: "thing",
  endsOf: (instance, name) =>
    nicsOf(instance).map((nic, index) => {
      const word = nic.name || `eth${index}`;
      return plugOf(`${name}/nics/${word}`, nic.lan, word);
    }),
  noteOf: (instance, end) => {
    const id = idOf(end);
    const nic = nicsOf(instance).find(({ name }) => name === id);
    const heard = heardOf(instance, id);
    // The shorter kind of address, which there is room for.
    return heard.find((address) => address.includes(".")) ?? heard[0] ?? nic?.addresses[0]?.split("/")[0] ?? "";
  },
};
