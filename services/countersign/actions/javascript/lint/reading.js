// Reads a source into its tree, and tells what each name in it stands for: a path such as `api.multifactor.enable`.
// A name that nothing declares stands for itself, so `fetch` is the global only where no local one hides it.
(function (lint) {
  'use strict';

  const RULE_PREFIX = 'module.exports = ';
  const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);
  const isFunction = (node) => FUNCTIONS.has(node?.type);
  const isNode = (value) => value !== null && typeof value === 'object' && typeof value.type === 'string';

  lint.isFunction = isFunction;

  const known = new Map();

  lint.childrenOf = (node) => {
    let children = known.get(node);
    if (children !== undefined) return children;
    children = [];
    known.set(node, children);
    for (const key of Object.keys(node)) {
      if (key === 'loc') continue;
      const value = node[key];
      if (Array.isArray(value)) for (const each of value) { if (isNode(each)) children.push(each); }
      else if (isNode(value)) children.push(value);
    }
    return children;
  };

  // The tree, with the place of each node as it is in the source.
  lint.parse = (source, kind) => {
    const prefix = kind === 'rule' ? RULE_PREFIX : '';
    const text = source.startsWith('#!') ? `//${source.slice(2)}` : source;
    const options = {
      ecmaVersion: 'latest', sourceType: 'commonjs', locations: true, allowHashBang: false,
    };
    const place = ({ line, column }) => ({ line, column: line === 1 ? Math.max(0, column - prefix.length) : column });
    try {
      return { tree: syntax.acorn.parse(prefix + text, options), place };
    } catch (error) {
      if (!(error instanceof SyntaxError) || error.loc === undefined) throw error;
      return { error: { message: error.message.replace(/ \(\d+:\d+\)$/, ''), ...place(error.loc) }, place };
    }
  };

  // What a literal says, if it says it without running anything.
  lint.textOf = (node) => {
    if (node?.type === 'Literal' && typeof node.value === 'string') return node.value;
    if (node?.type === 'TemplateLiteral' && node.expressions.length === 0) return node.quasis[0].value.cooked;
    return null;
  };

  lint.keyOf = (node) => {
    const key = node.type === 'MemberExpression' ? node.property : node.key;
    if (!node.computed && key?.type === 'Identifier') return key.name;
    return lint.textOf(key);
  };

  lint.inside = (node) => {
    let inner = node;
    while (inner?.type === 'ChainExpression' || inner?.type === 'AwaitExpression'
      || inner?.type === 'ParenthesizedExpression') inner = inner.expression ?? inner.argument;
    return inner;
  };

  class Scope {
    constructor(parent, owner) {
      this.parent = parent;
      this.owner = owner;
      this.names = new Map();
    }

    find(name) {
      for (let scope = this; scope !== null; scope = scope.parent) {
        const found = scope.names.get(name);
        if (found !== undefined) return found;
      }
      return null;
    }

    declare(name) {
      if (!this.names.has(name)) this.names.set(name, { path: null, value: null, constant: null, writes: 0, uses: 0 });
    }
  }

  // Names of a pattern, with the path that each takes from what the pattern takes apart.
  function* taken(pattern, path) {
    if (pattern === null || pattern === undefined) return;
    if (pattern.type === 'Identifier') yield { name: pattern.name, path };
    else if (pattern.type === 'AssignmentPattern') yield* taken(pattern.left, path);
    else if (pattern.type === 'RestElement') yield* taken(pattern.argument, path);
    else if (pattern.type === 'ArrayPattern') for (const each of pattern.elements) yield* taken(each, null);
    else if (pattern.type === 'ObjectPattern') {
      for (const each of pattern.properties) {
        if (each.type === 'RestElement') yield* taken(each, path);
        else {
          const key = lint.keyOf(each);
          yield* taken(each.value, path === null || key === null ? null : `${path}.${key}`);
        }
      }
    }
  }

  lint.scopes = (tree) => {
    const of = new Map();
    function declare(node, scope, functionScope) {
      let [inner, own] = [scope, functionScope];
      if (isFunction(node)) {
        if (node.type === 'FunctionDeclaration' && node.id) {
          scope.declare(node.id.name);
          scope.names.get(node.id.name).value = node;
        }
        inner = own = new Scope(scope, node);
        if (node.type === 'FunctionExpression' && node.id) {
          inner.declare(node.id.name);
          inner.names.get(node.id.name).value = node;
        }
        for (const parameter of node.params) for (const { name } of taken(parameter, null)) inner.declare(name);
      } else if (/^(BlockStatement|For|Switch|CatchClause|StaticBlock)/.test(node.type)) {
        inner = new Scope(scope, node);
        if (node.type === 'CatchClause') for (const { name } of taken(node.param, null)) inner.declare(name);
      } else if (node.type === 'VariableDeclaration') {
        const target = node.kind === 'var' ? own : scope;
        for (const each of node.declarations) for (const { name } of taken(each.id, null)) target.declare(name);
        for (const each of node.kind === 'const' ? node.declarations : []) {
          if (each.id.type === 'Identifier' && each.init) scope.names.get(each.id.name).constant = lint.inside(each.init);
        }
      } else if (node.type === 'ClassDeclaration' && node.id) scope.declare(node.id.name);
      of.set(node, inner);
      for (const child of lint.childrenOf(node)) declare(child, inner, own);
    }
    const global = new Scope(null, tree);
    declare(tree, global, global);
    return of;
  };

  const CHAINS = /^api\.(access|accessToken|idToken|multifactor|user|samlResponse|authentication)\./;

  lint.Names = class {
    constructor(tree) {
      this.tree = tree;
      this.scopes = lint.scopes(tree);
      this.handlers = [];
    }

    // The path of an expression; null where it can't be told.
    pathOf(expression) {
      const node = lint.inside(expression);
      if (node?.type === 'Identifier') {
        const found = this.scopes.get(node).find(node.name);
        if (found === null) return node.name;
        return found.writes > 1 ? null : found.path;
      }
      if (node?.type === 'MemberExpression') {
        const [object, key] = [this.pathOf(node.object), lint.keyOf(node)];
        if (object === 'globalThis' || object === 'global') return key;
        return object === null || key === null ? null : `${object}.${key}`;
      }
      if (node?.type === 'ThisExpression') return this.isModule(node) ? 'exports' : null;
      if (node?.type === 'LogicalExpression' && node.operator !== '&&') return this.pathOf(node.left);
      if (node?.type === 'CallExpression') {
        const callee = this.pathOf(node.callee);
        return callee !== null && CHAINS.test(callee) ? 'api' : null;
      }
      return null;
    }

    // Whether `this` is the module's own: outside of every function that has one of its own.
    isModule(node) {
      let scope = this.scopes.get(node);
      while (scope.parent !== null && !/^Function/.test(scope.owner.type)) scope = scope.parent;
      return scope.parent === null;
    }

    // What an expression is written as, where a constant that nothing else touches holds it.
    valueOf(expression) {
      const node = lint.inside(expression);
      if (node?.type !== 'Identifier') return node;
      const found = this.scopes.get(node).find(node.name);
      const value = found?.constant ?? null;
      if (value === null) return node;
      return value.type === 'Literal' || value.type === 'TemplateLiteral' || found.uses === 1 ? value : node;
    }

    // The function that an expression is, where the source says so.
    functionOf(expression) {
      const node = lint.inside(expression);
      if (isFunction(node)) return node;
      if (node?.type === 'Identifier') {
        const found = this.scopes.get(node).find(node.name);
        return isFunction(found?.value) ? found.value : null;
      }
      return null;
    }

    give(scope, pattern, path) {
      for (const { name, path: its } of taken(pattern, path)) {
        const found = scope.find(name);
        if (found !== null && its !== null && found.path === null) found.path = its;
      }
    }

    // Says what a function's parameters stand for.
    call(node, paths) {
      const scope = this.scopes.get(node);
      node.params.forEach((parameter, at) => this.give(scope, parameter, paths[at] ?? null));
    }

    // Counts where each name is used, once.
    count() {
      const visit = (node, parent) => {
        const declares = parent?.type === 'VariableDeclarator' && parent.id === node;
        const key = (parent?.type === 'MemberExpression' && parent.property === node && !parent.computed)
          || (parent?.type === 'Property' && parent.key === node && !parent.computed && parent.value !== node);
        if (node.type === 'Identifier' && !declares && !key) {
          const found = this.scopes.get(node).find(node.name);
          if (found !== null) found.uses += 1;
        }
        for (const child of lint.childrenOf(node)) visit(child, node);
      };
      visit(this.tree, null);
    }

    // Follows what the source passes on: to variables, and to functions of its own.
    follow() {
      const visit = (node) => {
        const scope = this.scopes.get(node);
        if (node.type === 'VariableDeclarator' && node.init) {
          const path = this.pathOf(node.init);
          if (node.id.type === 'Identifier') {
            const found = scope.find(node.id.name);
            if (isFunction(lint.inside(node.init))) found.value = lint.inside(node.init);
          }
          this.give(scope, node.id, path);
        } else if (node.type === 'AssignmentExpression') {
          if (node.left.type === 'Identifier') {
            const found = scope.find(node.left.name);
            if (found !== null && !node.counted) {
              node.counted = true;
              found.writes += found.path === null ? 1 : 2;
            }
          }
          if (/Pattern$|Identifier/.test(node.left.type)) this.give(scope, node.left, this.pathOf(node.right));
        } else if (node.type === 'CallExpression') {
          const callee = this.functionOf(node.callee);
          if (callee !== null) this.call(callee, node.arguments.map((each) => this.pathOf(each)));
        }
        for (const child of lint.childrenOf(node)) visit(child);
      };
      visit(this.tree);
    }
  };
})(globalThis.lint ??= {});
