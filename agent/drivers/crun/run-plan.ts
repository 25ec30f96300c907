import type { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { microName } from "../images.js";
import type { ImageConfig } from "./container-image.js";
import type { FirstProgram } from "./program-check.js";
import type { RootView } from "./root-view.js";
import { type ContainerUser, findUser } from "./user.js";

/** What runs in a container, and how: what its spec says, and else its image. */
export interface RunPlan extends FirstProgram {
  readonly workingDirectory: string;
  readonly user: ContainerUser;
}

const defaultShell = "/bin/sh";

/** Puts together what a spec and an image say, as Docker does. @throws {ZorError} INVALID_ARGUMENT: there is no such user. */
export async function planRun(spec: CrunOptions, image: ImageConfig, view: RootView): Promise<RunPlan> {
  const user = await findUser(view, spec.user === "" ? image.user : spec.user);
  const home = user.home === "" ? {} : { HOME: user.home };
  return {
    ...commandOf(spec, image),
    environment: { ...home, ...image.environment, ...spec.environment },
    workingDirectory: workingDirectoryOf(spec, image),
    user,
  };
}

function commandOf(spec: CrunOptions, image: ImageConfig): Pick<FirstProgram, "command" | "isDefault"> {
  const own = spec.entrypoint.length > 0;
  const entrypoint = own ? spec.entrypoint.filter((word, index) => index > 0 || word !== "") : image.entrypoint;
  const words = spec.command.length > 0 || own ? spec.command : image.command;
  const command = [...entrypoint, ...words];
  if (command.length > 0) return { command, isDefault: false };
  return { command: [spec.rootfs === microName ? "/init" : defaultShell], isDefault: true };
}

function workingDirectoryOf(spec: CrunOptions, image: ImageConfig): string {
  const wanted = spec.workingDirectory === "" ? image.workingDirectory : spec.workingDirectory;
  // An image may say anything; a spec was checked.
  return wanted.startsWith("/") && !wanted.includes("\0") ? wanted : "/";
}
