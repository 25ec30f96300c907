import { Role } from "../../proto/gen/zor/v1/token_service.js";
import { permissionDenied } from "../errors.js";
import { findRule, type MethodRule } from "../kinds/kinds.js";
import { type Caller, roleName } from "./caller.js";

type Access = MethodRule["access"];

const roles: Readonly<Record<"viewer" | "operator" | "admin", Role>> = {
  viewer: Role.ROLE_VIEWER,
  operator: Role.ROLE_OPERATOR,
  admin: Role.ROLE_ADMIN,
};

/** Services that others define: what they tell is no secret from whoever has a certificate. */
const foreign = /^\/grpc\./;

/**
 * Who may call a method ("/zor.v1.LanService/CreateLan"), as the options in its proto file say.
 * @throws {Error} for a method of which nothing is said: a program that would serve it does not start.
 */
export function accessOf(method: string): Access {
  const access = findRule(method)?.access ?? (foreign.test(method) ? "identified" : undefined);
  if (access === undefined) throw new Error(`${method} has no least role; give it the option (rule).access`);
  return access;
}

/** Whether the caller may call the method. */
export function mayCall(caller: Caller, method: string): boolean {
  try {
    authorize(caller, method);
    return true;
  } catch {
    return false;
  }
}

/** @throws {ZorError} PERMISSION_DENIED unless the caller may call the method. */
export function authorize(caller: Caller, method: string): void {
  const access = accessOf(method);
  if (access === "open" || access === "identified") return;
  if (access === "hub") {
    if (caller.kind === "hub") return;
    throw permissionDenied(`${method} is for hubs only; ${caller.identity} is not one`);
  }
  const role = roles[access];
  if (caller.role >= role) return;
  throw permissionDenied(
    `${caller.identity} has role ${roleName(caller.role)}; ${method} needs ${roleName(role)}; ask an admin for a token with that role`,
  );
}
