/** Typed rules for TypeScript, the rules of plain JavaScript for scripts. Prettier formats. */
import tseslint from "typescript-eslint";

/** Forms that no TypeScript of this package has. */
const FORMS = [
  { selector: "ExportAllDeclaration", message: "Export by name." },
  { selector: "ExportDefaultDeclaration", message: "Export by name." },
  {
    selector: "MemberExpression[object.property.name='message'][property.name='includes']",
    message: "Compare errors by code.",
  },
];

/** Ways to leave a promise alone that the rule about floating promises does not see. */
const UNOWNED = [
  {
    selector: "ArrowFunctionExpression > UnaryExpression[operator='void']",
    message: "A promise has an owner: await it, catch it, or inBackground().",
  },
  { selector: "UnaryExpression[operator='void'] > ImportExpression", message: "What is loaded can fail: catch it." },
];

/** Questions that what data put on `Object.prototype` answers. */
const INHERITED = [
  {
    selector: "BinaryExpression[operator='in'][left.type!='PrivateIdentifier']",
    message: "It looks at what all objects inherit: hasOwnKey().",
  },
  { selector: "ForInStatement", message: "It walks what all objects inherit: Object.keys()." },
];

export default tseslint.config(
  { linterOptions: { reportUnusedDisableDirectives: "off" } },
  {
    ignores: [
      "dist/",
      "dist-binary/",
      "node_modules/",
      "coverage/",
      "docs/api/",
      "docs/.site/",
      "docs/.vitepress/cache/",
      "reports/",
    ],
  },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Numbers in messages are what they look like.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      // `() => clearTimeout(timer)` says all there is to say.
      "@typescript-eslint/no-confusing-void-expression": "off",
      // A Promise is the form of an interface, whether or not this implementation waits.
      "@typescript-eslint/require-await": "off",
      // Applications without types, other platforms and other versions of Node do what the types rule out.
      "@typescript-eslint/no-unnecessary-condition": "off",
      // Objects here are made of closures and have no `this` to lose.
      "@typescript-eslint/unbound-method": "off",
      // The SDK marks options so that it wants to see passed on, and Node the types of objects that it still makes.
      "@typescript-eslint/no-deprecated": "off",
      // Takes assertions for unnecessary that the compiler asks for.
      "@typescript-eslint/no-unnecessary-type-assertion": "off",
      // Errors are told by a brand that several copies of the package share, and not by the class of one of them.
      "@typescript-eslint/no-unsafe-class-instance-assignment": "off",
      "@typescript-eslint/no-base-to-string": "off",
      // An index that was just checked, and a group that a match always has, are there.
      "@typescript-eslint/no-non-null-assertion": "off",
      // `typeof import("...")` is how a module that is loaded on demand is typed.
      "@typescript-eslint/consistent-type-imports": ["error", { disallowTypeAnnotations: false }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      eqeqeq: "error",
      "no-restricted-syntax": ["error", ...FORMS],
    },
  },
  {
    // The firewall takes methods off the prototypes of Node's handles and puts others in their place: that is its
    // trade.
    files: ["src/firewall/**/*.ts"],
    rules: { "prefer-rest-params": "off", "@typescript-eslint/no-dynamic-delete": "off" },
  },
  {
    // What Node.js loads is CommonJS, whichever way it is asked for, and what is loaded on demand has to be there at once.
    files: ["src/preload/*.ts", "src/sdk/load-adapters.ts", "src/sdk/*.node.ts"],
    rules: { "@typescript-eslint/no-require-imports": "off" },
  },
  {
    // Tests look into JSON and errors of unknown form; what they find is checked by what they expect.
    files: ["test/**/*.ts"],
    rules: {
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-return": "off",
      "@typescript-eslint/no-misused-spread": "off",
      "@typescript-eslint/no-dynamic-delete": "off",
      "@typescript-eslint/no-misused-promises": "off",
      "@typescript-eslint/restrict-plus-operands": "off",
      "prefer-const": "off",
      "@typescript-eslint/use-unknown-in-catch-callback-variable": "off",
    },
  },
  {
    files: ["*.config.ts"],
    rules: { "no-restricted-syntax": "off" },
  },
  {
    files: ["src/**/*.ts"],
    rules: {
      "no-console": "error",
      // A rejection that nobody takes ends the application: no promise without an owner, not even one that "cannot" fail.
      "@typescript-eslint/no-floating-promises": ["error", { ignoreVoid: false, checkThenables: true }],
      "no-restricted-syntax": ["error", ...FORMS, ...UNOWNED, ...INHERITED],
    },
  },
  {
    // Only the command loads these, and what it loads has no say in its own prototypes.
    files: ["src/{cli,detection,fleet}/**/*.ts"],
    rules: { "no-restricted-syntax": ["error", ...FORMS, ...UNOWNED] },
  },
  {
    // Runs in every program under the preload: what the application put on `Object.prototype` must not end it there.
    files: ["src/{firewall,preload}/**/*.ts", "src/base/plain-load.ts"],
    ignores: ["src/firewall/urls.ts"],
    rules: {
      "no-restricted-syntax": [
        "error",
        ...FORMS,
        ...UNOWNED,
        ...INHERITED,
        { selector: "ArrayPattern", message: "Taking an array apart asks its iterator for an inherited `return`." },
        {
          selector: "ForOfStatement :matches(ReturnStatement, BreakStatement)",
          message: "A loop that is left asks its iterator for an inherited `return`.",
        },
      ],
    },
  },
  {
    // The shape of Smithy's Logger is Smithy's.
    files: ["src/events/sinks.ts"],
    rules: { "@typescript-eslint/no-explicit-any": "off" },
  },
  {
    files: ["**/*.{js,mjs}"],
    extends: [tseslint.configs.recommended],
    rules: { "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }] },
  },
);
