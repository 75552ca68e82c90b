// @ts-check
/** What there is to reach in a source file, and which words it looks for: read off its syntax. */
import ts from "typescript";

/**
 * Where the blocks of a compiled file begin: functions, branches, loops, operands that may be passed over, and whatever
 * stands behind a statement that may leave.
 *
 * @param {string} text
 * @param {readonly string[]} [functions] only those of these functions, where there are others in the file
 */
export function blocksOf(text, functions) {
  const source = ts.createSourceFile("source.js", text, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
  /** @type {Set<number>} */
  const starts = new Set();
  const begin = (/** @type {ts.Node | undefined} */ node) => void (node !== undefined && starts.add(insideOf(node)));
  const visit = (/** @type {ts.Node} */ node) => {
    if (ts.isFunctionLike(node)) begin(/** @type {ts.FunctionLikeDeclaration} */ (node).body);
    if (ts.isIfStatement(node)) [node.thenStatement, node.elseStatement].forEach(begin);
    if (ts.isConditionalExpression(node)) [node.whenTrue, node.whenFalse].forEach(begin);
    if (ts.isIterationStatement(node, false)) begin(node.statement);
    if (ts.isCatchClause(node)) begin(node.block);
    if (ts.isCaseOrDefaultClause(node)) begin(node.statements[0]);
    if (ts.isBinaryExpression(node) && SHORT_CUTS.includes(node.operatorToken.kind)) begin(node.right);
    if (ts.isBlock(node) || ts.isSourceFile(node) || ts.isCaseOrDefaultClause(node)) {
      for (const [index, statement] of node.statements.entries())
        if (mayLeave(statement)) begin(node.statements[index + 1]);
    }
    node.forEachChild(visit);
  };
  if (functions === undefined) visit(source);
  else
    source.forEachChild(
      (node) => void (ts.isFunctionDeclaration(node) && functions.includes(node.name?.text ?? "") && visit(node)),
    );
  return [...starts].toSorted((a, b) => a - b);
}

const SHORT_CUTS = [
  ts.SyntaxKind.AmpersandAmpersandToken,
  ts.SyntaxKind.BarBarToken,
  ts.SyntaxKind.QuestionQuestionToken,
];

/** A position that belongs to the block and to nothing around it. @param {ts.Node} node */
function insideOf(node) {
  return ts.isBlock(node) ? node.getStart() + 1 : node.getStart();
}

/** Whether control may not arrive behind a statement. @param {ts.Node} node @returns {boolean} */
function mayLeave(node) {
  if (ts.isFunctionLike(node) || ts.isClassLike(node)) return false;
  if (ts.isReturnStatement(node) || ts.isThrowStatement(node) || ts.isBreakOrContinueStatement(node)) return true;
  return ts.forEachChild(node, (child) => mayLeave(child) || undefined) ?? false;
}

/**
 * What a source file compares with, as bytes: its string literals, the plain runs inside its regular expressions, and
 * its numbers in whatever order of bytes.
 *
 * @param {string} text
 * @returns {Buffer[]}
 */
export function wordsOf(text) {
  const source = ts.createSourceFile("source.js", text, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
  /** Bytes as characters. @type {Set<string>} */
  const words = new Set();
  const add = (/** @type {string} */ word) => words.add(Buffer.from(word).toString("latin1"));
  const visit = (/** @type {ts.Node} */ node) => {
    if (ts.isImportDeclaration(node)) return;
    if (ts.isStringLiteralLike(node) && node.text.length <= LONGEST_WORD) add(node.text);
    if (ts.isRegularExpressionLiteral(node)) for (const [run] of node.text.matchAll(/[\w-]{2,}/g)) add(run);
    if (ts.isNumericLiteral(node))
      for (const bytes of spellings(Number(node.text))) words.add(bytes.toString("latin1"));
    node.forEachChild(visit);
  };
  visit(source);
  words.delete("");
  return [...words].map((word) => Buffer.from(word, "latin1"));
}

/** @param {number} number @returns {Buffer[]} */
function spellings(number) {
  if (!Number.isInteger(number) || number >= 2 ** 32) return [];
  const size = number < 256 ? 1 : number < 65_536 ? 2 : 4;
  const bytes = Buffer.alloc(size);
  bytes.writeUIntBE(number, 0, size);
  return [bytes, Buffer.from(bytes).reverse()];
}

/** Messages are longer, and no words of a format. */
const LONGEST_WORD = 40;
