"""The second text reader's own words: every phrase it knows, written down whole, with what it states.

Nothing here is taken from the mappings. A phrase is matched as it stands: a negation is never put together from parts,
so that a "not" which no phrase holds stays over and makes the text unreadable. A space stands for any gap (blank, line
end or hyphen). Accents are gone and letters small, as the reader leaves them.
"""
# ruff: noqa: E501  # a phrase is easier to find in a long line than in a folded one

from __future__ import annotations

# --- Names -----------------------------------------------------------------------------------------------------------

HER2 = r"(?:c[- ]?erb[- ]?b[- ]?2|erb[- ]?b[- ]?2|her[- ]?2)(?:(?: ?[-/] ?| )?neu\b| ?\( ?neu ?\))?"

IHC_MARKS = """
ihc | immunohistochemistry | immunohistochemical | immunhistochemie | immunhistochemisch | immunohistochimie
inmunohistoquimica | imuno-histoquimica | imunohistoquimica | immunoistochimica | immunohistochemie | ihq | iqh
hercept test | herceptest | immunostain | immunoperoxidase | 4b5 | a0485 | cb11 | sp3
"""

ISH_MARKS = """
fish | ish | cish | sish | dish | ddish | in situ hybridization | in situ hybridisation | in situ hybridisierung
hybridation in situ | hibridacion in situ | hibridizacao in situ | ibridazione in situ
fluorescence in situ hybridization | fish analysis | fish test
"""

# --- Results in words ------------------------------------------------------------------------------------------------

WORDS = {
    "positive": """
positive | positiv | positiver | positives | positif | positivo | positiva | positivite | positief | positieve | pos
overexpressed | over expressed | overexpression | over expression | uberexprimiert | uberexpression | ueberexpression
surexprime | surexprimee | surexpression | sobreexpresado | sobreexpresion | sobreexpressao | iperespressione
overexpression detected | overexpression present | overexpression: detected | overexpression: present
overexpressie | positive for overexpression | 阳性
""",
    "negative": """
negative | negativ | negativer | negatives | negatif | negativo | negativa | negatief | negatieve | neg
not overexpressed | not over expressed | no overexpression | no over expression | nicht uberexprimiert
keine uberexpression | keine ueberexpression | non surexprime | non surexprimee | pas de surexpression
absence de surexpression | no sobreexpresado | sin sobreexpresion | sem sobreexpressao | geen overexpressie
overexpression not detected | overexpression: not detected | overexpression absent | overexpression: absent
negative for overexpression | overexpression: negative | overexpression negative | nao superexpressa
nessuna iperespressione | assenza di iperespressione | 阴性
""",
    "equivocal": """
equivocal | borderline | aquivok | aequivok | equivoque | equivoco | equivoca | dubieus | grenzwertig | dudoso
duvidoso | dubbio | limitrofe | limite | twijfelachtig
""",
    "indeterminate": """
indeterminate | indeterminado | indetermine | indeterminato | test failure | test failed | assay failed | failed
not evaluable | non evaluable | nicht auswertbar | nicht beurteilbar | no valorable | nao avaliavel | inconclusive
cannot be determined | uninterpretable | not interpretable | unbestimmt | non valutabile | niet te beoordelen
""",
    "not-done": """
not done | not performed | not tested | not evaluated | not available | not applicable | nicht durchgefuhrt
nicht durchgefuehrt | nicht untersucht | non realise | non realisee | non fait | non faite | no realizado
no realizada | nao realizado | nao realizada | non eseguito | non eseguita | niet uitgevoerd | niet verricht
no amplification result | no amplification results | no amplification test | no amplification status
unk/nd | unknown | nd | n/a | na
""",
    "low": """
low | low expression | her2low | niedrig | faible | bajo | baixo | basso | laag | baja expresion | baixa expressao
""",
    "ultralow": """
ultralow | ultra low | ultra niedrig | ultrafaible | ultra faible | ultrabajo | ultra bajo | ultrabaixo | ultrabasso
ultra baixo | ultra basso | ultralaag
""",
}

ISH_WORDS = {
    "positive": """
amplified | gene amplified | amplifiziert | amplifie | amplifiee | amplificado | amplificada | amplificato
amplificata | geamplificeerd | amplification detected | amplification: detected | amplification present
amplification: present | amplification: positive | amplification positive
positive amplification | positive for amplification | positive for gene amplification | amplifikation nachgewiesen
gene amplification detected | gene amplification: detected | amplifikation: positiv | 有扩增 | 基因扩增阳性
""",
    "negative": """
not amplified | non amplified | non amplification | nonamplified | unamplified | nicht amplifiziert | non amplifie | non amplifiee
pas amplifie | no amplificado | no amplificada | nao amplificado | nao amplificada | non amplificato
non amplificata | niet geamplificeerd | no amplification | no gene amplification | keine amplifikation
pas d'amplification | absence d'amplification | sans amplification | sin amplificacion | ausencia de amplificacion | sem amplificacao
assenza di amplificazione | nessuna amplificazione | geen amplificatie | without amplification | lack of amplification
without evidence of amplification | without evidence of gene amplification
amplification not detected | amplification: not detected | gene amplification: not detected
gene amplification not detected | amplification: absent | amplification: negative
amplification absent | amplification negative | negative for amplification | negative for gene amplification
amplifikation nicht nachgewiesen | amplifikation: negativ | amplifikation negativ
not gene amplified | no evidence of amplification | negative amplification | no evidence of gene amplification | amplification not seen
未见基因扩增 | 未见扩增 | 无扩增 | 无基因扩增
""",
}

# --- Staining ([intensity] [completeness] staining) ------------------------------------------------------------------

STAINING = {
    "none": r"no (?:membrane |membranous )?staining(?: (?:seen|observed|detected))?|keine (?:membran)?farbung"
    r"|null|sans marquage|sin tincion|ausencia de tincion|sem marcacao|nessuna colorazione|geen kleuring",
    "faint-incomplete": r"low (?:membrane |membranous )?staining|staining:? low|(?:(?:faint|weak|barely perceptible|faint/barely perceptible)(?:,? and |, | )"
    r"(?:incomplete|partial)|incomplete(?:,? and |, | )(?:faint|weak|barely perceptible|faint/barely perceptible)"
    r")(?: (?:membrane |membranous )?staining)?|(?:faint|incomplete)(?: (?:membrane |membranous )?staining)?"
    r"|schwache,? (?:und )?inkomplette (?:membran)?farbung|marquage (?:membranaire )?faible(?: et)? incomplet"
    r"|tincion (?:de membrana )?debil(?: e)? incompleta",
    "weak-to-moderate-complete": r"(?:weak(?: to | ?[-/] ?)moderate|moderate),? complete"
    r"(?: (?:membrane |membranous )?staining)?",
    "intense-complete": r"(?:(?:strong|intense)(?:,? and |, | )(?:complete|circumferential)"
    r"|complete(?:,? and |, | )(?:strong|intense))(?: (?:membrane |membranous )?staining)?",
}

CELLS = (
    r"(?: ?(?:of|der|des|de|de las|das|delle|del|van de) (?:the )?)?"
    r"(?: ?(?:invasive |infiltrating )?(?:tumou?r |neoplastic |cancer )?cells| ?tumorzellen| ?zellen"
    r"| ?cellules(?: tumorales| invasives)?| ?celulas(?: tumorales| tumorais)?| ?cellule(?: tumorali)?"
    r"| ?(?:tumor)?cellen)?"
)

# --- Remarks that are no result --------------------------------------------------------------------------------------

_TEST = r"(?:(?:reflex )?(?:fish|ish|cish|sish|in situ hybridi[sz]ation)(?: reflex)?(?: test(?:ing)?| analysis)?)"
REMARK = (
    rf"(?:(?:please )?(?:awaiting|await|recommend|suggest|requested|pending|consider) {_TEST}"
    rf"|{_TEST} (?:is |are |wird |zur |est |)?(?:strongly )?(?:recommended|recommend|pending|to follow|requested|ordered|awaited"
    r"|advised|suggested|empfohlen|ausstehend|steht aus|folgt|angefordert|recommandee?|en attente|en cours|recomendado|recomendada"
    r"|pendiente|pendente|raccomandata|in corso|aanbevolen|volgt))"
)

# --- What says nothing by itself -------------------------------------------------------------------------------------

GENE = """
amplification | gene amplification | amplifikation | genamplifikation | amplificacion | amplificacao | amplificazione
"""
DENIALS = """
not | no | non | nicht | kein | keine | keinen | pas | pas de | sans | without | never | sin | sem | nao | niet | geen | senza
"""
OUTSIDE = "outside | osh | outside hospital | outside lab | outside laboratory | extern | externe"
LABELS = (
    "score | ihc score | scores | immunoscore | puntuacion | puntaje | escore | punteggio | grade"
)
FILLER = """
status | result | results | resultat | resultado | risultato | ergebnis | befund | resultaat | is | was | by | with | the
mit | par | por | con | mediante | durch | expression | protein | receptor | oncoprotein | gene | gen | gens | interpretation | statut
rezeptor | focal | heterogenous | heterogeneous | stain | assay | method | and | und | et | y | e | en | in | of | using | invasive carcinoma
herceptest | hercep test | dako herceptest | dakoherceptest tm | dakoherceptest | hecep test dako | hecep test tm dako | hecep test tm | dako | hecep test | von | der | die | das | des | du | de | la | le | el | los | per | as | from | dem | den | im | core | scored | done | performed | test | testing | biopsy | breast | repeat | consistent with | tested | presence of | op
"""
WHOLE = "overall | overall result | final overall result | final | final result | adjudicated"
ABOUT = "for | per"


def phrases(listed: str) -> str:
    """A pattern for any of the phrases, the longest first; a space in one stands for any gap."""
    every = sorted(
        (one.strip() for line in listed.strip().splitlines() for one in line.split("|")),
        key=len,
        reverse=True,
    )
    return "|".join(gaps(one) for one in every if one)


def gaps(phrase: str) -> str:
    """One phrase as a pattern."""
    special = {" ": r"[ \n]*[- \n][ \n]*", ":": r" ?: ?", "/": "/"}
    return "".join(special.get(mark, mark) for mark in phrase.replace(": ", ":"))
