([tags]) => axe.run(document, {runOnly: {type: "tag", values: tags}, resultTypes: ["violations"], preload: false, iframes: false}).then((result) =>
  result.violations.map((violation) => {
    const first = violation.nodes.slice(0, 3).map((node) => {
      const said = node.any[0] || node.all[0] || node.none[0];
      return node.target.join(" ") + " " + (said ? said.message : "");
    });
    return `${violation.id}: ${first.join(" | ")}`;
  }),
)
