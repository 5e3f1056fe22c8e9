// What the widget says, as data. A page can give more: element.texts = { it: { ... } }; what is missing there stays English.
export const TEXTS = {
  en: {
    title: "A place to think", ask: "What is troubling you at work?", hint: "What happened, who was there, what stays with you. 30 to 1,500 words work best.",
    examples: "How others begin", example1: "Last week I said something in front of everyone that I would like to have back.", example2: "Another department keeps deciding things that my people then have to carry.",
    words: "{n} words", reflect: "Reflect", cancel: "Cancel", reading: "It is being read.", answer: "Answer", another: "Another question", deeper: "Stay with this", skip: "Leave it", end: "Come to an end",
    your: "Your answer", send: "Send", own: "Your words", guidance: "From the library", touched: "Touched so far", views: "through whose eyes", summary: "What you said",
    summaryHint: "Your own words, to change as you like. Nobody else has seen them.", copy: "Copy", copied: "Copied.", download: "Download", print: "Print", erase: "Erase", erased: "Erased.", keep: "Keep on this device",
    retry: "Try again", lost: "The line is down. Nothing you typed is lost.", help: "Where help is", again: "Begin anew", more: "Who answers, and where your words go",
    leaves: "Your words are sent to {to}, with names and numbers masked.", stays: "Your words do not leave the machine that this runs on.", emergency: "Emergency",
  },
  de: {
    title: "Ein Ort zum Nachdenken", ask: "Was beschäftigt Sie bei der Arbeit?", hint: "Was geschah, wer dabei war, was Ihnen nachgeht. 30 bis 1.500 Wörter sind gut.",
    examples: "Wie andere beginnen", example1: "Letzte Woche habe ich vor allen etwas gesagt, das ich gern zurücknähme.", example2: "Eine andere Abteilung entscheidet immer wieder, was meine Leute dann ausbaden.",
    words: "{n} Wörter", reflect: "Nachdenken", cancel: "Abbrechen", reading: "Es wird gelesen.", answer: "Antworten", another: "Eine andere Frage", deeper: "Dabei bleiben", skip: "Stehen lassen", end: "Zum Ende kommen",
    your: "Ihre Antwort", send: "Senden", own: "Ihre Worte", guidance: "Aus der Bibliothek", touched: "Bisher berührt", views: "mit wessen Augen", summary: "Was Sie gesagt haben",
    summaryHint: "Ihre eigenen Worte; ändern Sie, was Sie mögen. Niemand sonst hat sie gesehen.", copy: "Kopieren", copied: "Kopiert.", download: "Herunterladen", print: "Drucken", erase: "Löschen", erased: "Gelöscht.", keep: "Auf diesem Gerät behalten",
    retry: "Noch einmal", lost: "Die Verbindung ist weg. Nichts, was Sie geschrieben haben, ist verloren.", help: "Wo Hilfe ist", again: "Neu beginnen", more: "Wer antwortet, und wohin Ihre Worte gehen",
    leaves: "Ihre Worte gehen an {to}; Namen und Zahlen werden vorher ersetzt.", stays: "Ihre Worte verlassen die Maschine nicht, auf der dies läuft.", emergency: "Notruf",
  },
  fr: {
    title: "Un lieu pour réfléchir", ask: "Qu'est-ce qui vous préoccupe au travail ?", hint: "Ce qui s'est passé, qui était là, ce qui vous reste. De 30 à 1 500 mots, c'est bien.",
    examples: "Comment d'autres commencent", example1: "La semaine dernière, j'ai dit devant tout le monde quelque chose que je voudrais reprendre.", example2: "Un autre service décide sans cesse de choses que mon équipe doit ensuite porter.",
    words: "{n} mots", reflect: "Réfléchir", cancel: "Annuler", reading: "C'est en cours de lecture.", answer: "Répondre", another: "Une autre question", deeper: "Rester là-dessus", skip: "La laisser", end: "Terminer",
    your: "Votre réponse", send: "Envoyer", own: "Vos mots", guidance: "De la bibliothèque", touched: "Abordé jusqu'ici", views: "par les yeux de", summary: "Ce que vous avez dit",
    summaryHint: "Vos propres mots, à modifier à votre gré. Personne d'autre ne les a vus.", copy: "Copier", copied: "Copié.", download: "Télécharger", print: "Imprimer", erase: "Effacer", erased: "Effacé.", keep: "Garder sur cet appareil",
    retry: "Réessayer", lost: "La connexion est coupée. Rien de ce que vous avez écrit n'est perdu.", help: "Où trouver de l'aide", again: "Recommencer", more: "Qui répond, et où vont vos mots",
    leaves: "Vos mots sont envoyés à {to}, noms et chiffres masqués.", stays: "Vos mots ne quittent pas la machine qui fait tourner ceci.", emergency: "Urgences",
  },
  es: {
    title: "Un lugar para pensar", ask: "¿Qué le preocupa en el trabajo?", hint: "Qué pasó, quién estaba, qué se le ha quedado. De 30 a 1.500 palabras va bien.",
    examples: "Cómo empiezan otros", example1: "La semana pasada dije delante de todos algo que quisiera retirar.", example2: "Otro departamento decide una y otra vez cosas que luego carga mi gente.",
    words: "{n} palabras", reflect: "Reflexionar", cancel: "Cancelar", reading: "Se está leyendo.", answer: "Responder", another: "Otra pregunta", deeper: "Seguir con esto", skip: "Dejarla", end: "Terminar",
    your: "Su respuesta", send: "Enviar", own: "Sus palabras", guidance: "De la biblioteca", touched: "Tocado hasta ahora", views: "con los ojos de", summary: "Lo que ha dicho",
    summaryHint: "Sus propias palabras, para cambiarlas a su gusto. Nadie más las ha visto.", copy: "Copiar", copied: "Copiado.", download: "Descargar", print: "Imprimir", erase: "Borrar", erased: "Borrado.", keep: "Guardar en este dispositivo",
    retry: "Reintentar", lost: "Se ha cortado la conexión. Nada de lo que ha escrito se ha perdido.", help: "Dónde hay ayuda", again: "Empezar de nuevo", more: "Quién responde y adónde van sus palabras",
    leaves: "Sus palabras se envían a {to}, con nombres y cifras ocultos.", stays: "Sus palabras no salen de la máquina en la que esto funciona.", emergency: "Emergencias",
  },
};
