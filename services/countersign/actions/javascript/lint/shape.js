// What a source has to be: an Action that exports its handler, or a Rule that is one function.
(function (lint) {
  'use strict';

  const HANDLERS = ['onExecutePostLogin', 'onContinuePostLogin'];

  // What `a = b = it` assigns.
  function assigned(right) {
    let value = lint.inside(right);
    while (value.type === 'AssignmentExpression' && value.operator === '=') value = lint.inside(value.right);
    return value;
  }

  // Finds the handlers, and says what their parameters stand for.
  lint.handlers = (names, report) => {
    const exported = new Map();
    let mentioned = false;
    const note = (name, key, value) => {
      if (!HANDLERS.includes(name)) return;
      exported.set(name, key);
      const handler = names.functionOf(value);
      if (handler !== null) names.call(handler, ['event', 'api']);
      const written = names.valueOf(value);
      if (/^(Literal|TemplateLiteral|ObjectExpression|ArrayExpression)$/.test(written.type)) {
        report(key, 'error', 'no-handler', `${name} is no function`,
          'Write exports.onExecutePostLogin = async (event, api) => {…}');
      }
      // Handed to a function that makes a handler of it, under the names that everybody knows.
      for (const each of written.type === 'CallExpression' ? written.arguments : []) {
        const inner = names.functionOf(each);
        if (inner?.params[1]?.name === 'api') names.call(inner, ['event', 'api']);
      }
    };
    const visit = (node) => {
      if (node.type === 'AssignmentExpression') {
        const path = names.pathOf(node.left);
        const found = /^(?:module\.)?exports\.(\w+)$/.exec(path ?? '');
        if (found) note(found[1], node.left, node.right);
        if (path === 'module.exports') {
          const value = assigned(node.right);
          if (value.type === 'ObjectExpression') {
            for (const each of value.properties) {
              if (each.type === 'Property') note(lint.keyOf(each), each.key, each.value);
            }
          } else mentioned = true;
        }
      }
      if (node.type === 'CallExpression' && /^Object\.(assign|defineProperty)$/.test(names.pathOf(node.callee) ?? '')) {
        mentioned ||= /exports$/.test(names.pathOf(node.arguments[0]) ?? '');
      }
      if (node.type === 'CallExpression') {
        mentioned ||= node.arguments.some((each) => /^((module\.)?exports|module)$/.test(names.pathOf(each) ?? ''));
      }
      if (node.type === 'MemberExpression' && node.computed && lint.textOf(node.property) === null) {
        mentioned ||= /exports$/.test(names.pathOf(node.object) ?? '');
      }
      for (const child of lint.childrenOf(node)) visit(child);
    };
    visit(names.tree);
    if (!exported.has('onExecutePostLogin') && !mentioned) {
      report(names.tree, 'error', 'no-handler', 'It exports no onExecutePostLogin',
        'Write exports.onExecutePostLogin = async (event, api) => {…}');
    }
    const continued = exported.get('onContinuePostLogin');
    if (continued) {
      report(continued, 'warning', 'never-continued', 'onContinuePostLogin is never run: a redirect ends the login here',
        'Leave it out, and pass what the page needs in `query` of api.redirect.sendUserTo');
    }
    return { continued: continued !== undefined };
  };

  // Whether a function takes the rest of its arguments, and whether it reads them as `arguments`.
  function taken(node) {
    const reads = (inner) => (inner.type === 'Identifier' && inner.name === 'arguments')
      || lint.childrenOf(inner).some(reads);
    return [node.params?.some((each) => each.type === 'RestElement') ?? false, reads(node)];
  }

  lint.rule = (names, report) => {
    const [first, ...more] = names.tree.body.filter((each) => each.type !== 'EmptyStatement');
    const rule = first?.type === 'ExpressionStatement' && first.expression.type === 'AssignmentExpression'
      ? assigned(first.expression.right) : null;
    const [all, used] = rule === null ? [false, false] : taken(rule);
    const few = lint.isFunction(rule) && rule.params.length < 3 && !all && !used;
    if (!lint.isFunction(rule) || few || more.length > 0) {
      const what = !lint.isFunction(rule) ? 'It is no function'
        : more.length > 0 ? 'It is more than one function' : `Its function has ${rule.params.length} parameters`;
      report(more[0] ?? rule ?? names.tree, 'error', 'rule-shape', what,
        'A Rule is one function (user, context, callback); for an Action say --kind action');
      return;
    }
    names.call(rule, ['user', 'context', 'callback']);
    if (all || used) return; // it may call back by another name
    const callback = rule.params[2];
    let mentioned = false;
    const visit = (node) => {
      if (node.type === 'Identifier') {
        mentioned ||= names.pathOf(node) === 'callback' || node.name === callback.name;
      }
      for (const child of lint.childrenOf(node)) visit(child);
    };
    visit(rule.body);
    if (!mentioned) {
      report(callback, 'error', 'no-callback', 'It never calls back, so each login runs into the time limit and is denied',
        'End every branch with callback(null, user, context)');
    }
  };
})(globalThis.lint ??= {});
