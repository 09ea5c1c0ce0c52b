// Prints what picloud.d.ts declares, as JSON: {classes: {name: {members, statics}}, interfaces: {name: members}, values: [names]}.
import { readFileSync } from "node:fs";
import ts from "typescript";

const file = ts.createSourceFile("picloud.d.ts", readFileSync(new URL("picloud.d.ts", import.meta.url), "utf8"), ts.ScriptTarget.ESNext, true);
const has = (node, kind) => (ts.getModifiers(node) ?? []).some((m) => m.kind === kind);
const named = (members) => members.filter((m) => m.name && ts.isIdentifier(m.name)).map((m) => m.name.text);
const out = { classes: {}, interfaces: {}, values: [] };
for (const node of file.statements) {
  if (ts.isClassDeclaration(node)) {
    const members = node.members.filter((m) => !ts.isConstructorDeclaration(m));
    out.classes[node.name.text] = {
      extends: node.heritageClauses?.[0].types[0].expression.text ?? "",
      members: named(members.filter((m) => !has(m, ts.SyntaxKind.StaticKeyword))),
      statics: named(members.filter((m) => has(m, ts.SyntaxKind.StaticKeyword))),
    };
  } else if (ts.isInterfaceDeclaration(node)) {
    out.interfaces[node.name.text] = named([...node.members]);
  } else if (ts.isFunctionDeclaration(node)) {
    out.values.push(node.name.text);
  } else if (ts.isVariableStatement(node)) {
    for (const d of node.declarationList.declarations) {
      out.values.push(d.name.text);
      if (d.type && ts.isTypeLiteralNode(d.type)) out.interfaces["typeof " + d.name.text] = named([...d.type.members]);
    }
  }
}
console.log(JSON.stringify(out));
