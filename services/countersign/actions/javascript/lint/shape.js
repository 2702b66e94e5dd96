// What a source has to be: an Action that exports its handler, or a Rule that is one function.
(function (lint) {
  'use strict';

  const HANDLERS = ['onExecutePostLogin', 'onContinuePostLogin'];

  // Finds the handlers, and says what their parameters stand for.
  lint.handlers = (names, report) => {
    const exported = new Map();
    let mentioned = false;
    const note = (name, key, value) => {
      if (!HANDLERS.includes(name)) return;
      exported.set(name, key);
      const handler = names.functionOf(value);
      if (handler !== null) names.call(handler, ['event', 'api']);
    };
    const visit = (node) => {
      if (node.type === 'AssignmentExpression') {
        const path = names.pathOf(node.left);
        const found = /^(?:module\.)?exports\.(\w+)$/.exec(path ?? '');
        if (found) note(found[1], node.left, node.right);
        if (path === 'module.exports' || path === 'exports') {
          const value = lint.inside(node.right);
          if (value.type === 'ObjectExpression') {
            for (const each of value.properties) {
              if (each.type === 'Property') note(lint.keyOf(each), each.key, each.value);
            }
          } else if (value.type !== 'AssignmentExpression') mentioned = true;
        }
      }
      if (node.type === 'CallExpression' && /^Object\.(assign|defineProperty)$/.test(names.pathOf(node.callee) ?? '')) {
        mentioned ||= /exports$/.test(names.pathOf(node.arguments[0]) ?? '');
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

  lint.rule = (names, report) => {
    const [first, ...more] = names.tree.body.filter((each) => each.type !== 'EmptyStatement');
    const rule = first?.type === 'ExpressionStatement' && first.expression.type === 'AssignmentExpression'
      ? lint.inside(first.expression.right) : null;
    if (!lint.isFunction(rule) || rule.params.length !== 3 || more.length > 0) {
      const what = !lint.isFunction(rule) ? 'It is no function'
        : more.length > 0 ? 'It is more than one function' : `Its function has ${rule.params.length} parameters`;
      report(more[0] ?? rule ?? names.tree, 'error', 'rule-shape', what,
        'A Rule is one function (user, context, callback); for an Action say --kind action');
      return;
    }
    names.call(rule, ['user', 'context', 'callback']);
    const callback = rule.params[2];
    let [mentioned, every] = [false, false];
    const visit = (node) => {
      if (node.type === 'Identifier') {
        mentioned ||= names.pathOf(node) === 'callback' || node.name === callback.name;
        every ||= node.name === 'arguments';
      }
      for (const child of lint.childrenOf(node)) visit(child);
    };
    visit(rule.body);
    if (!mentioned && !every) {
      report(callback, 'error', 'no-callback', 'It never calls back, so each login runs into the time limit and is denied',
        'End every branch with callback(null, user, context)');
    }
  };
})(globalThis.lint ??= {});
