import { Role } from "../../proto/gen/zor/v1/token_service.js";
import { permissionDenied } from "../errors.js";
import { type Caller, roleName } from "./caller.js";

/** Who may call a method: people and services from a role on, a hub only, or anybody with an identity. */
type Access = Role | "hub" | "anyone";

const viewerVerbs = /^(Get|List|Watch|Wait)/;

const exceptions: Readonly<Record<string, Access>> = {
  "/zor.v1.HostService/CreateHost": Role.ROLE_ADMIN,
  "/zor.v1.HostService/UpdateHost": Role.ROLE_ADMIN,
  "/zor.v1.HostService/DeleteHost": Role.ROLE_ADMIN,
  "/zor.v1.TokenService/CreateToken": Role.ROLE_ADMIN,
  "/zor.v1.TokenService/RevokeIdentity": Role.ROLE_ADMIN,
  "/zor.v1.RenewService/Renew": "anyone",
  // Viewers look; the handler lets only operators type.
  "/zor.v1.ConsoleService/AttachConsole": Role.ROLE_VIEWER,
};

/** Access a method needs. Unknown methods need an admin. */
function accessOf(method: string): Access {
  const exception = Object.hasOwn(exceptions, method) ? exceptions[method] : undefined;
  if (exception !== undefined) return exception;
  const [, service = "", rpc = ""] = method.split("/");
  if (service.startsWith("zor.agent.v1.")) return "hub";
  if (service.startsWith("grpc.")) return "anyone";
  if (!service.startsWith("zor.v1.")) return Role.ROLE_ADMIN;
  return viewerVerbs.test(rpc) ? Role.ROLE_VIEWER : Role.ROLE_OPERATOR;
}

/** @throws {ZorError} PERMISSION_DENIED unless the caller may call the method ("/zor.v1.LanService/CreateLan"). */
export function authorize(caller: Caller, method: string): void {
  const access = accessOf(method);
  if (access === "anyone") return;
  if (access === "hub") {
    if (caller.kind === "hub") return;
    throw permissionDenied(`${method} is for hubs only; ${caller.identity} is not one`);
  }
  if (caller.role >= access) return;
  throw permissionDenied(
    `${caller.identity} has role ${roleName(caller.role)}; ${method} needs ${roleName(access)}; ask an admin for a token with that role`,
  );
}
