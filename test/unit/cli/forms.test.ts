import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseFilter } from "../../../lib/list/filter.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { selectedBy } from "../../../tui/cli/input/selector.js";
import { csvLine } from "../../../tui/cli/output/csv.js";
import { parseForm, structuredText } from "../../../tui/cli/output/forms.js";
import { parseJsonPath } from "../../../tui/cli/output/json-path.js";
import { type ListForm, shownColumns, sortedRows } from "../../../tui/cli/output/list-form.js";
import type { Column } from "../../../tui/cli/output/table.js";
import { parseTemplate } from "../../../tui/cli/output/template.js";

const value = {
  instances: [
    {
      name: "hosts/alpha/instances/vm1",
      labels: { site: "paris", "a.b": "c" },
      spec: { memoryMib: "512", nics: [{ lan: "l1" }] },
    },
    { name: "hosts/beta/instances/vm10", labels: {}, spec: { memoryMib: "64", nics: [] } },
    {
      name: "hosts/beta/instances/vm2",
      labels: { site: "lyon" },
      spec: { memoryMib: "2048", nics: [{ lan: "l1" }, { lan: "l2" }] },
    },
  ],
  totalSize: 3,
};

describe("jsonpath", () => {
  it.each([
    [".totalSize", "3"],
    ["{.totalSize}", "3"],
    ["total_size", "3"],
    ["{$.instances[0].name}", "hosts/alpha/instances/vm1"],
    ["{.instances[-1].labels.site}", "lyon"],
    ["{.instances[0].labels['a.b']} {.instances[0].labels.a\\.b}", "c c"],
    ["{.instances[*].spec.memory_mib}", "512 64 2048"],
    ["{.instances[0:2].labels.site}", "paris"],
    ["{.instances[0,2].labels.site}", "paris lyon"],
    ["{..lan}", "l1 l1 l2"],
    ['{range .instances[*]}{.labels.site}{"\\t"}{.spec.memoryMib}{"\\n"}{end}', "paris\t512\n\t64\nlyon\t2048\n"],
    ["{range .instances[*]}[{range .spec.nics[*]}{.lan};{end}]{end}", "[l1;][][l1;l2;]"],
    ['{.instances[?(@.labels.site=="paris")].spec.memoryMib}', "512"],
    ["{.instances[?(@.spec.memoryMib>100 && @.labels.site)].labels.site}", "paris lyon"],
    ['{.instances[?(@.name =~ "vm1")].spec.memoryMib}', "512 64"],
    ["{.instances[?(!(@.labels.site))].spec.memoryMib}", "64"],
    ["{.instances[0].spec.nics}", '[{"lan":"l1"}]'],
    ["{.nothing.there}", ""],
    ["{.constructor}{.__proto__}", ""],
    ["found: {.totalSize}!", "found: 3!"],
  ])("%s prints %j", (expression, text) => {
    expect(parseJsonPath(expression)(value)).toBe(text);
  });

  it.each(["{.a", "{.a[}", "{.a[?(@.b==)]}", "{range .a}", "{end}", "{.a b}", "{.a[?(@.b =~ '(')]}", "{..}"])(
    "refuses %s and says where",
    (expression) => {
      expect(() => parseJsonPath(expression)).toThrow(/jsonpath: .*at column \d+ of/);
    },
  );

  it("lets nothing of a resource reach a terminal as an order", () => {
    expect(parseJsonPath("{.a}")({ a: "x\u001b[31m\n" })).toBe("x\\x1b[31m\\n");
  });

  it("never fails but with an error that names the option, whatever is written", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."{}[].*?@$()=\"'ab01:,&|!<~ \\") }), (text) => {
        try {
          parseJsonPath(text)(value);
        } catch (error) {
          expect(String(error)).toMatch(/--output: jsonpath/);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("templates", () => {
  it.each([
    ["{{.totalSize}}", "3"],
    ['{{range .instances}}{{base .name}}={{.spec.memory_mib}}{{"\\n"}}{{end}}', "vm1=512\nvm10=64\nvm2=2048\n"],
    [
      '{{range $at, $each := .instances}}{{$at}}:{{$each.labels.site | default "-" | upper}} {{end}}',
      "0:PARIS 1:- 2:LYON ",
    ],
    [
      '{{range .instances}}{{if gt .spec.memoryMib 1000}}big{{else if eq .labels.site "paris"}}p{{else}}small{{end}} {{end}}',
      "p small big ",
    ],
    ["{{with .nothing}}x{{else}}none{{end}}", "none"],
    ["{{- range .instances -}}  {{ len .spec.nics }}  {{- end -}}", "102"],
    ['{{printf "%-6s|%4d|%q" "ab" 7 "x"}}', 'ab    |   7|"x"'],
    ['{{index .instances 0 "labels" "a.b"}}', "c"],
    ["{{(index .instances 2).name}}", "hosts/beta/instances/vm2"],
    ["{{range .instances}}{{$.totalSize}}{{end}}", "333"],
    ["{{json (index .instances 1).labels}}{{/* nothing */}}", "{}"],
    ["{{and .totalSize .nothing}}|{{or .nothing .totalSize}}|{{not .nothing}}", "|3|true"],
    ['{{range $key, $value := (index .instances 0).labels}}{{$key}}{{print "=" $value}},{{end}}', "a.b=c,site=paris,"],
    ["{{`{{`}}", "{{"],
  ])("%s prints %j", (template, text) => {
    expect(parseTemplate(template)(value)).toBe(text);
  });

  it.each([
    ["{{.a", /never closed/],
    ["{{if .a}}", /has no \{\{end\}\}/],
    ["{{end}}", /without what it ends/],
    ["{{nope .a}}", /no function "nope"/],
    ["{{.a | .b}}", /must be a function/],
    ["{{len}}", /len takes/],
    ["{{.a ]}}", /not understood/],
  ])("refuses %s and says where", (template, why) => {
    expect(() => parseTemplate(template)).toThrow(why);
    expect(() => parseTemplate(template)).toThrow(/at column \d+ of/);
  });

  it("lets nothing of a resource reach a terminal as an order", () => {
    expect(parseTemplate('{{.a}}{{printf "%s" .a}}{{json .}}')({ a: "\u001b]0;x\u0007" })).not.toMatch(
      /[\u0000-\u001f]/,
    );
  });
});

describe("csv", () => {
  it("quotes what needs it, and gives a spreadsheet nothing to calculate", () => {
    const cells = ["plain", 'a "b", c', "=1+1", "@x", "-5", "+3.5%", "-x", "-", "a\nb"];
    expect(csvLine(cells)).toBe('plain,"a ""b"", c",\'=1+1,\'@x,-5,+3.5%,\'-x,-,a\\nb');
  });
});

describe("a selector", () => {
  const instances = [
    Instance.fromPartial({ labels: { site: "paris", role: "web" } }),
    Instance.fromPartial({ labels: { site: "lyon", role: "db", old: "" } }),
    Instance.fromPartial({ labels: {} }),
  ];
  it.each([
    ["site=paris", [0]],
    ["site==paris,role=web", [0]],
    ["site!=paris", [1, 2]],
    ["site", [0, 1]],
    ["!site", [2]],
    ["!old,site", [0]],
    ["site in (paris, lyon),role!=db", [0]],
    ["site notin (lyon)", [0, 2]],
  ])("%s means what it means in kubectl", (selector, found) => {
    const filter = parseFilter(selectedBy(selector), "zor.v1.Instance");
    expect(instances.flatMap((instance, at) => (filter.matches(instance) ? [at] : []))).toEqual(found);
  });

  it("goes with a filter", () => {
    expect(selectedBy("a=b", "x = 1 OR y = 2")).toBe('(x = 1 OR y = 2) AND labels."a" = "b"');
    expect(selectedBy(undefined, "x = 1")).toBe("x = 1");
  });

  it.each([
    [
      "mem>4GiB or cpus=2 sort by mem desc limit 5",
      '(mem>4GiB or cpus=2) AND labels."site" = "paris" sort by mem desc limit 5',
    ],
    ["sort by mem", 'labels."site" = "paris" sort by mem'],
    ["limit = 5", '(limit = 5) AND labels."site" = "paris"'],
    ['"sort by mem" limit 1', '("sort by mem") AND labels."site" = "paris" limit 1'],
  ])("goes with the filter %j, whose order and number stay at the end", (filter, text) => {
    expect(selectedBy("site=paris", filter)).toBe(text);
  });

  it("tells of a filter that is none where it is wrong", () => {
    expect(() => selectedBy("site=paris", "a = (")).toThrow(/filter: unexpected "\(" at column 5/);
  });

  it.each(["a b", "=x", "a in b", 'a"="x'])("%s is refused", (selector) => {
    expect(() => selectedBy(selector)).toThrow(/says nothing of labels/);
  });
});

interface Thing {
  readonly name: string;
  readonly size: number;
}
const columns: readonly Column<Thing>[] = [
  { title: "NAME", rank: 0, value: ({ name }) => name },
  { title: "SIZE MIB", id: "size", rank: 0, value: ({ size }) => `${size} MiB`, sortKey: ({ size }) => size },
  { title: "NOTE", rank: 0, shown: "wide", value: () => "" },
  { title: "HOST", rank: 0, shown: "asked", value: () => "" },
];
const things: readonly Thing[] = [
  { name: "vm10", size: 3 },
  { name: "vm2", size: 20 },
  { name: "vm1", size: 3 },
];

describe("columns and order of a list", () => {
  const titles = (form: ListForm) => shownColumns(columns, form).map(({ title }) => title);
  it("are what the form shows, or what is asked for", () => {
    expect(titles({ output: "table" })).toEqual(["NAME", "SIZE MIB"]);
    expect(titles({ output: "csv" })).toEqual(["NAME", "SIZE MIB", "NOTE"]);
    expect(titles({ output: "table", columns: ["size", "host", "size_mib"] })).toEqual([
      "SIZE MIB",
      "HOST",
      "SIZE MIB",
    ]);
  });

  it.each([
    ["NAME", ["vm1", "vm2", "vm10"]],
    ["-name", ["vm10", "vm2", "vm1"]],
    ["size", ["vm10", "vm1", "vm2"]],
    ["size desc", ["vm2", "vm10", "vm1"]],
    ["note, -name", ["vm10", "vm2", "vm1"]],
    ["HOST,size desc , NAME", ["vm2", "vm1", "vm10"]],
  ])("sorted by %s", (sortBy, names) => {
    expect(sortedRows(columns, things, sortBy).map(({ name }) => name)).toEqual(names);
  });

  it("refuse what there is not, with what is near", () => {
    expect(() => titles({ output: "table", columns: ["NAEM"] })).toThrow(/did you mean NAME/);
    expect(() => titles({ output: "json", columns: ["NAME"] })).toThrow(/json has no columns/);
    expect(() => sortedRows(columns, things, "x")).toThrow(/no column/);
    expect(() => sortedRows(columns, things, "name,,size")).toThrow(/no column/);
  });
});

describe("a form of output", () => {
  it("is one of the list, or an expression that can be read", async () => {
    expect(parseForm("text", ["table", "json"])).toBe("table");
    expect(() => parseForm("xml", ["table", "json"])).toThrow(/Allowed choices are table, json, jsonpath=EXPRESSION/);
    expect(() => parseForm("jsonpath=.a", ["text"])).toThrow(/no form of output/);
    expect(() => parseForm("jsonpath={.a", ["json"])).toThrow(/never closed/);
    for (const word of ["template", "go-template"]) {
      expect(await structuredText(parseForm(`${word}={{.a}}`, ["json"]) as "json", { a: 1 })).toBe("1");
    }
    expect(await structuredText("json", { a: 1 }, true)).toBe('{"a":1}');
  });
});
