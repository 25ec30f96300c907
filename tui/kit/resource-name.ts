/**
 * A resource name as people write it: "hosts/alpha" is "alpha", "hosts/alpha/instances/vm1" is "alpha/vm1",
 * "hosts/alpha/instances/vm1/nics/eth0" is "alpha/vm1/eth0", "links/demo" is "demo". Not escaped.
 */
export function shortName(name: string): string {
  // Of an identity, "zor://user/ana", its kind and id.
  if (name.startsWith("zor://")) return name.slice("zor://".length);
  return name
    .split("/")
    .filter((_, index) => index % 2 === 1)
    .join("/");
}

/** Of an identity, "zor://user/ana", its id alone. Not escaped. */
export function shortIdentity(identity: string): string {
  return identity.replace(/^zor:\/\/\w+\//, "");
}

/** The last segment of a resource name. */
export function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** The host id of "hosts/{host}/..."; undefined when the name belongs to the hub. */
export function hostOf(name: string): string | undefined {
  const [collection, host] = name.split("/", 2);
  return collection === "hosts" ? host : undefined;
}
