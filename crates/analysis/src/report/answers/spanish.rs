//! The sentences in Spanish.

use super::statement::{Direction, Language, MeasureVerdict, Statement};
use crate::measure::Measure;
use crate::report::formatting::{interval, number};
use crate::report::model::{Change, Choice};
use crate::stats::verdict::Verdict;

pub(super) const SPANISH: Language = Language {
    questions: [
        "¿Qué servicio se tardó menos y por qué?",
        "¿En qué casos utilizaría cada uno?",
    ],
    sentence,
};

/// The names of the stages, in the order of the report.
const PARTS: [&str; 7] = [
    "red y proxy",
    "decodificar",
    "validar",
    "codificar",
    "publicar",
    "responder",
    "resto",
];

fn sentence(statement: &Statement) -> String {
    match statement {
        Statement::Conditions(report) => format!(
            "Se midió en {} rondas de {} s en una sola máquina con {} procesadores; todos los veredictos de una corrida \
             así son correctos en {} de cada 100 corridas, y el margen, como parte del valor de la primera variante, es: {}.",
            report.rounds(),
            report.plan.design.block_s,
            report.machine.cores,
            report.confidence * 100.0,
            report.margin.describe(report.rule().measures),
        ),
        Statement::NoVerdict(reasons) => format!(
            "Esta corrida no permite un veredicto. Los motivos, en inglés: {}",
            reasons.join(" ")
        ),
        Statement::NoVerdictAtSomeValues(reasons) => format!(
            "Algunos valores del barrido no tienen veredicto. Los motivos, en inglés: {}",
            reasons.join(" ")
        ),
        Statement::Unanswered => "Sin un veredicto, esta corrida no da razones a favor de ninguno.".to_owned(),
        Statement::NotCompared => {
            "Esta corrida no comparó REST con gRPC: su plan no tiene ese par de variantes.".to_owned()
        }
        Statement::Verdict(verdict) => verdict_sentence(verdict),
        Statement::LargestPart { pair, part, a, b } => format!(
            "De las partes del tiempo de un voto, la que más difiere es «{}»: {} ms con {} y {} ms con {} en promedio.",
            PARTS.get(*part).unwrap_or(&""),
            number(*a),
            pair.a,
            number(*b),
            pair.b
        ),
        Statement::Publish {
            pair,
            a,
            b,
            least_share,
        } => format!(
            "Esperar a Kafka toma {} ms con {} y {} ms con {}: el {:.0} % o más del tiempo de un voto con cualquiera de \
             los dos.",
            number(*a),
            pair.a,
            number(*b),
            pair.b,
            least_share * 100.0
        ),
        Statement::NoStages => {
            "No se conoce el motivo: ningún voto de esta corrida pidió los tiempos de las etapas."
                .to_owned()
        }
        Statement::Effect(effect) => {
            let effect_text = match Direction::of(&effect.p50_ms) {
                Direction::Raises => "sube la mediana de la latencia",
                Direction::Lowers => "baja la mediana de la latencia",
                Direction::Unclear => "no tiene un efecto claro en la mediana de la latencia",
            };
            format!("Por sí solo, {} {effect_text}: {} ms.", choice(effect.choice), interval(&effect.p50_ms))
        }
        Statement::Bytes { pair, a, b } => format!(
            "En la red, un voto ocupa {} bytes con {} y {} con {}, sumando ida y vuelta.",
            number(*a),
            pair.a,
            number(*b),
            pair.b
        ),
        Statement::Memory { pair, a, b } => format!(
            "Los procesos de {} ocuparon a lo sumo {} MiB de memoria; los de {}, {} MiB.",
            pair.a,
            number(*a),
            pair.b,
            number(*b)
        ),
        Statement::Change(change) => along(change),
        Statement::NoChange { key } => {
            format!("A lo largo de los valores de {key} que se probaron, ningún veredicto cambia.")
        }
        Statement::NoDifference => {
            "Ninguna medida de esta corrida muestra una diferencia, así que la corrida no da razones a favor de ninguno.".to_owned()
        }
        Statement::Limits => {
            "La corrida no midió herramientas, navegadores ni la experiencia del equipo, así que esta respuesta no los cubre.".to_owned()
        }
    }
}

fn verdict_sentence(verdict: &MeasureVerdict) -> String {
    let MeasureVerdict { at, pair, comparison } = *verdict;
    let (name, unit) = (name(comparison.measure), unit(comparison.measure));
    let at = at.map_or_else(String::new, |(key, value)| format!("Con {key} = {value}: "));
    let difference = format!("{} − {} = {}", pair.b, pair.a, interval(&comparison.difference));
    if let Some([(winner, best), (loser, other)]) = verdict.winner_and_loser() {
        let predicate = match comparison.measure {
            Measure::P50 | Measure::P95 | Measure::P99 => "se tardó menos",
            Measure::Throughput => "respondió más votos",
            Measure::Cpu => "usó menos tiempo de procesador",
        };
        return format!(
            "{at}{winner} {predicate}: {name} es de {} {unit}, contra {} con {loser} ({difference}).",
            number(best),
            number(other)
        );
    }
    let values = format!(
        "{} {unit} con {} y {} con {} ({difference})",
        number(comparison.a),
        pair.a,
        number(comparison.b),
        pair.b
    );
    match comparison.verdict {
        Verdict::NotEnoughData {
            rounds_needed: Some(rounds),
        } => format!(
            "{at}Sobre {name} la corrida no decide, {values}: harían falta unas {rounds} rondas, pero la corrida tuvo {}.",
            comparison.rounds
        ),
        Verdict::NotEnoughData { rounds_needed: None } => {
            format!("{at}Sobre {name} la corrida no decide, {values}: la diferencia está cerca del margen.")
        }
        _ => format!(
            "{at}En {name} los dos son equivalentes, {values}: la diferencia está dentro del margen de {} {unit}.",
            number(comparison.margin)
        ),
    }
}

fn along(change: &Change) -> String {
    let describe = |verdict| match verdict {
        Verdict::ABetter => format!("mejor {}", change.a),
        Verdict::BBetter => format!("mejor {}", change.b),
        Verdict::Equivalent | Verdict::NotEnoughData { .. } => "equivalentes".to_owned(),
    };
    format!(
        "A lo largo del barrido, en {}: {} hasta {}, {} desde {}.",
        name(change.measure),
        describe(change.before),
        change.from,
        describe(change.after),
        change.to
    )
}

/// The name with its article.
const fn name(measure: Measure) -> &'static str {
    match measure {
        Measure::P50 => "la mediana de la latencia",
        Measure::P95 => "el percentil 95 de la latencia",
        Measure::P99 => "el percentil 99 de la latencia",
        Measure::Throughput => "el rendimiento",
        Measure::Cpu => "el tiempo de procesador",
    }
}

const fn unit(measure: Measure) -> &'static str {
    match measure {
        Measure::P50 | Measure::P95 | Measure::P99 => "ms",
        Measure::Throughput => "votos/s",
        Measure::Cpu => "s de CPU por millón de votos",
    }
}

const fn choice(choice: Choice) -> &'static str {
    match choice {
        Choice::Http2 => "HTTP/2 en vez de HTTP/1.1",
        Choice::Protobuf => "protobuf en vez de JSON",
        Choice::ProtobufOverHttp2 => {
            "protobuf sobre HTTP/2 comparado con protobuf sobre HTTP/1.1 (interacción)"
        }
        Choice::Grpc => "gRPC en vez de protobuf sobre HTTP/2 simple",
    }
}
