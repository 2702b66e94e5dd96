### The pages in Spanish; polite form (usted).

-sign-in-again = Vuelva a la aplicación e inicie sesión de nuevo.

unknown =
    .title = Este enlace no se reconoce
    .text = Puede que esté incompleto o que sea demasiado antiguo. { -sign-in-again }
bad-request =
    .title = Esta dirección no se puede usar
    .text = No corresponde a ningún inicio de sesión o se modificó por el camino. { -sign-in-again }
wrong-browser =
    .title = Este inicio de sesión pertenece a otro navegador
    .text =
        Debe terminarse en el navegador y en la ventana donde se empezó. Si no lo empezó usted, cierre esta
        página: puede que alguien quisiera que usted aprobara un inicio de sesión ajeno.
elsewhere =
    .title = Este inicio de sesión se aprobó en otro lugar
    .text =
        Continúa en el navegador donde se aprobó. Si no fue usted, avise a su departamento de informática.
moving-on =
    .title = Un momento
    .text = Se está comprobando su respuesta. Esta página se actualiza sola.
again =
    .title = No ha funcionado
    .text = No se pudo comprobar su respuesta a tiempo. Puede pedir a Duo una nueva solicitud.
finished =
    .title = Este inicio de sesión ha terminado
    .text = Aquí no hay nada más que hacer.
denied =
    .title = Se denegó el inicio de sesión
    .text =
        No se ha iniciado la sesión. Si lo denegó por error, inicie sesión de nuevo. Si usted no lo solicitó,
        puede que alguien conozca su contraseña: cámbiela y avise a su departamento de informática.
expired =
    .title = Se acabó el tiempo
    .text = El inicio de sesión tardó demasiado. { -sign-in-again }
no-way-back =
    .title = No es posible volver
    .text =
        Ha respondido, pero la dirección de la aplicación ya no está permitida, así que no se ha iniciado
        la sesión. Avise a su departamento de informática.
failed =
    .title = No se pudo comprobar el inicio de sesión
    .text =
        Algo falla entre este servicio y Duo, así que no se ha iniciado su sesión. Si vuelve a ocurrir, avise
        a su departamento de informática.
duo-unavailable =
    .title = No se puede conectar con Duo
    .text = No se ha iniciado la sesión. Inicie sesión de nuevo dentro de un minuto.
duo-away =
    .title = En este momento no se puede conectar con Duo
    .text = No se ha perdido nada: inténtelo de nuevo dentro de un minuto.
too-many-prompts =
    .title = Demasiadas solicitudes
    .text =
        Tantas solicitudes en tan poco tiempo parecen obra de otra persona, así que por ahora no habrá más.
        Responda a una que siga abierta o espere unos minutos.
not-now =
    .title = No es posible en este momento
    .text = No se ha perdido nada: vuelva a cargar esta página dentro de un minuto.
no-such-page =
    .title = Esta página no existe
    .text = { -sign-in-again }
wrong-method =
    .title = Eso no se puede hacer aquí
    .text = { -sign-in-again }
broken =
    .title = Algo ha fallado aquí
    .text = No se ha iniciado la sesión. El error ha quedado registrado; inténtelo de nuevo dentro de un minuto.

## What leads on from a page.

link-again = Intentar de nuevo
link-back = Volver a la aplicación
link-continue = Continuar
