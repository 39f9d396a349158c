//! Holm's correction for several tests: the probability of at least one false decision is at most the error rate, however
//! many tests there are and however they depend on each other.
//!
//! Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6 (1979).

/// The error rate at which each test is decided, for its p-value, if all tests together may have `error_rate`. A test is
/// decided if its p-value is at most its own error rate.
pub fn error_rates(p_values: &[f64], error_rate: f64) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = p_values.iter().copied().enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut rates = vec![0.0; p_values.len()];
    let mut remaining = p_values.len();
    for (index, p_value) in order {
        let rate = error_rate / remaining as f64;
        if let Some(slot) = rates.get_mut(index) {
            *slot = rate;
        }
        // After the first test that is not decided, all further tests keep its rate.
        if p_value <= rate && remaining > 1 {
            remaining -= 1;
        }
    }
    rates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smaller_p_values_are_tested_more_strictly() {
        // 0.01 <= 0.05/4; 0.015 <= 0.05/3; 0.03 > 0.05/2 stops; 0.04 has the same rate.
        let rates = error_rates(&[0.03, 0.01, 0.04, 0.015], 0.05);
        let expected = [0.05 / 2.0, 0.05 / 4.0, 0.05 / 2.0, 0.05 / 3.0];
        for (rate, expected) in rates.iter().zip(expected) {
            assert!((rate - expected).abs() < 1e-12, "{rates:?}");
        }
        assert_eq!(error_rates(&[0.2], 0.05), [0.05]);
        assert!(error_rates(&[], 0.05).is_empty());
    }
}
