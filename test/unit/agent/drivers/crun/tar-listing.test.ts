import { describe, expect, it } from "vitest";
import { TarListing } from "../../../../../agent/drivers/crun/tar-listing.js";

const line = (mode: string, name: string, size = "5") => `${mode} 0/0 ${size.padStart(12)} 2024-01-01 00:00 ${name}`;

/** In pieces that end anywhere. */
function check(field: string, listing: string) {
  const checked = new TarListing(field);
  for (const piece of listing.match(/[\s\S]{1,7}/g) ?? []) checked.add(piece);
  return checked.finish();
}

describe("the listing of a root filesystem archive", () => {
  it("is accepted with links that lead out, which mean the container's own root", () => {
    const listing = [
      line("drwxr-xr-x", "./", "0"),
      line("-rw-r--r--", "./etc/a b"),
      line("lrwxrwxrwx", "./etc/mtab -> /proc/mounts", "0"),
      line("lrwxrwxrwx", "./lib -> ../usr/lib", "0"),
      line("hrw-r--r--", "./etc/c link to ./etc/a b", "0"),
      line("-rw-r--r--", "./a..b/..c", "7"),
      "crw-rw-rw- 0/0             1,3 2024-01-01 00:00 ./dev/null",
      "",
    ].join("\n");
    expect(check("f", listing)).toEqual({
      members: 7,
      bytes: 12,
      hasWhiteouts: false,
      top: new Set(["etc", "lib", "a..b", "dev"]),
    });
  });

  it.each([
    ["an absolute path", line("-rw-r--r--", "/etc/passwd")],
    ["a path that climbs out", line("-rw-r--r--", "../../etc/passwd")],
    ["a path that climbs out in the middle", line("-rw-r--r--", "./a/../../b")],
    ["a link whose own name climbs out", line("lrwxrwxrwx", "../a -> b", "0")],
    ["a hard link to an absolute path", line("hrw-r--r--", "./a link to /etc/shadow", "0")],
    ["a hard link that climbs out", line("hrw-r--r--", "./a link to ../etc/shadow", "0")],
    ["something that is no listing", "tar: hello"],
    ["nothing", ""],
  ])("is refused with %s", (_, listing) => {
    expect(() => check("instance.spec.crun.rootfs", listing)).toThrow(
      expect.objectContaining({
        code: 3,
        violations: [expect.objectContaining({ field: "instance.spec.crun.rootfs" })],
      }),
    );
  });
});
