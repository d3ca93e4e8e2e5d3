import js from "@eslint/js";

const ASSETS = "pipeline/publish/map/assets/*.js";

/** Names that tsc checks: eslint does not read the types of the browser or of Leaflet. */
const rules = {
  ...js.configs.recommended.rules,
  "no-undef": "off",
  "no-unused-vars": ["error", { caughtErrors: "none" }],
  "array-callback-return": "error",
  "consistent-return": "error",
  "default-case-last": "error",
  eqeqeq: "error",
  "max-len": ["error", { code: 160 }],
  "no-else-return": "error",
  "no-eval": "error",
  "no-implied-eval": "error",
  "no-lonely-if": "error",
  "no-new-func": "error",
  "no-param-reassign": "error",
  "no-script-url": "error",
  "no-shadow": "error",
  "no-throw-literal": "error",
  "no-unneeded-ternary": "error",
  "no-useless-return": "error",
  "no-var": "error",
  "object-shorthand": "error",
  "prefer-const": ["error", { destructuring: "all" }],
  "no-restricted-imports": "error",
  // Data reach the page as text only, never as markup.
  "no-restricted-properties": [
    "error",
    { property: "innerHTML" },
    { property: "outerHTML" },
    { property: "insertAdjacentHTML" },
    { object: "document", property: "write" },
  ],
};

export default [
  { files: [ASSETS, "tests/js/*.js"], languageOptions: { ecmaVersion: 2022, sourceType: "module" }, rules },
];
